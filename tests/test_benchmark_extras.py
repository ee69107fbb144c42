"""What only some devices can do or tell: asked for where it is there, left out where it is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edge_sdk import benchmark_extras as extras
from edge_sdk.errors import UnsupportedOperation
from edge_sdk.telemetry import Provenance, Reading, Telemetry

MODEL: Any = SimpleNamespace(config=SimpleNamespace(vocab_size=10))


class Batch:
    def __init__(self) -> None:
        self.joined, self.steps, self.closed = 0, 0, False

    def join(self) -> int:
        self.joined += 1
        return self.joined - 1

    def step(self, tokens: dict[int, int]) -> dict[int, int]:
        assert len(tokens) == extras.BATCH_SLOTS
        self.steps += 1
        return tokens

    def close(self) -> None:
        self.closed = True


def device(**parts: Any) -> Any:
    return SimpleNamespace(**parts)


def power(value: float | None) -> Telemetry:
    if value is None:
        return Telemetry({"power": Reading.unavailable("W", "none", "no sensor", "buy one.")})
    return Telemetry({"power": Reading(value, "W", Provenance.MEASURED, "a meter")})


def test_greedy_decoding_is_timed_where_the_session_offers_it() -> None:
    asked: list[tuple[int, int]] = []
    session: Any = SimpleNamespace(greedy=lambda first, count: asked.append((first, count)))
    rate = extras.greedy_rate(session, 5)
    assert rate is not None and rate > 0 and asked == [(0, 5)]
    assert extras.greedy_rate(device(), 5) is None


def test_a_batch_is_full_and_closed_again() -> None:
    batch = Batch()
    rates = extras.batch_rates(device(load_batch=lambda model, slots: batch), MODEL, 4, 3)
    assert rates is not None and len(rates) == 3 and min(rates) > 0
    assert (batch.joined, batch.steps, batch.closed) == (extras.BATCH_SLOTS, 1 + 4 * 3, True)


def test_devices_without_batches() -> None:
    def refuse(model: object, slots: int) -> None:
        raise UnsupportedOperation("one at a time.")

    assert extras.batch_rates(device(), MODEL, 1, 1) is None
    assert extras.batch_rates(device(load_batch=refuse), MODEL, 1, 1) is None


def test_energy_is_power_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(extras, "ENERGY_SECONDS", 0.05)
    found = extras.energy(device(telemetry=lambda: power(50.0)), lambda: 2)
    assert found is not None
    assert found["provenance"] == "derived" and found["source"] == "a meter"
    assert found["watts"] == pytest.approx(50.0, rel=0.5)
    assert found["joules_per_token"] > 0
    assert extras.energy(device(telemetry=lambda: power(None)), lambda: 2) is None


def test_memory_is_told_by_session_and_driver() -> None:
    reading = Reading(7.0, "B", Provenance.MEASURED, "a driver")
    both = extras.device_memory(
        device(telemetry=lambda: Telemetry({"device_memory": reading})),
        device(device_bytes=3),
    )
    assert both["session_bytes"] == 3 and both["driver"]["value"] == 7.0
    none = extras.device_memory(device(telemetry=lambda: Telemetry({})), device())
    assert none == {"session_bytes": None, "driver": None}
