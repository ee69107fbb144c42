"""A device, a model and a conversation that behave like the real ones, at a chosen pace.

They know edge_sdk's protocols; they do not compute anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast

import numpy as np

from edge_sdk.app.backend import Backend, Options
from edge_sdk.app.engine import Engine
from edge_sdk.chat_stats import ChatStats
from edge_sdk.device import DeviceInfo, State
from edge_sdk.errors import EdgeError
from edge_sdk.hub import ModelEntry
from edge_sdk.telemetry import EnergyMeter, Provenance, Reading, Telemetry
from edge_sdk.turns import Turn

NO_POWER = Reading.unavailable(
    "W",
    "RAPL, hwmon, battery",
    "RAPL needs root since CVE-2020-8694; no power monitor chip; no battery",
    "run `sudo chmod a+r /sys/class/powercap/*/energy_uj`.",
)
POWER = Reading(12.34, "W", Provenance.DERIVED, "RAPL, 1 CPU package", "package", period=0.5)
ANSWER = ["A tern is ", "a **slender** ", "sea bird.\n\n", "It flies ", "very far."]


def memory() -> dict[str, Reading]:
    def measured(value: float, scope: str) -> Reading:
        return Reading(value, "B", Provenance.MEASURED, "operating system", scope)

    return {
        "process_memory": measured(212 * 2**20, "process"),
        "machine_memory": measured(2.1 * 2**30, "machine"),
        "machine_memory_total": measured(8 * 2**30, "machine"),
        "temperature": Reading(51.5, "°C", Provenance.MEASURED, "k10temp", "package"),
        "utilisation": Reading(12.0, "%", Provenance.DERIVED, "operating system", "machine"),
    }


@dataclass
class FakeDevice:
    """Reads `power` and some memory."""

    power: Reading = POWER
    fail_load: Exception | None = None
    closed: bool = False
    info: DeviceInfo = field(
        default_factory=lambda: DeviceInfo(
            "cpu", "Example CPU", "cpu", True, details={"kernels": "clang, AVX2"}
        )
    )

    def load(self, model: Any, *, progress: Callable[[str, int, int], None]) -> Any:
        progress("compiling kernels", 1, 2)
        if self.fail_load is not None:
            raise self.fail_load
        return SimpleNamespace(
            model=model,
            device=self,
            close=lambda: None,
            snapshot=lambda: state(0),
            restore=lambda state: None,
        )

    def telemetry(self) -> Telemetry:
        return Telemetry({"power": replace(self.power, timestamp=time.monotonic()), **memory()})

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


MODEL = "f" * 64


def state(position: int) -> State:
    return State(MODEL, position, np.full((1, 1), position, np.float32))


@dataclass
class FakeChat:
    """Streams `pieces`; with `gate` it waits for the test before each piece but the first."""

    pieces: list[str] = field(default_factory=lambda: list(ANSWER))
    gate: threading.Semaphore | None = None
    pace: float = 0.0
    energy: Reading = field(
        default_factory=lambda: Reading(4.2, "J", Provenance.DERIVED, "RAPL, 1 CPU package")
    )
    fail: Exception | None = None
    turns: list[Turn] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    feeds_again: int = 0
    """What `resume` says that it had to feed."""

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._tokens = 0

    def ask(self, text: str, cancel: threading.Event | None = None) -> Iterator[str]:
        yield from self._answer(text, len(self.turns), "", cancel)

    def edit(self, index: int, text: str, cancel: threading.Event | None = None) -> Iterator[str]:
        yield from self._answer(text, index, "", cancel)

    def continue_answer(
        self, text: str | None, *, index: int, cancel: threading.Event | None = None
    ) -> Iterator[str]:
        turn = self.turns[index]
        yield from self._answer(turn.user, index, text or turn.assistant, cancel)

    def _answer(
        self, text: str, index: int, lead: str, cancel: threading.Event | None
    ) -> Iterator[str]:
        self._stop = cancel or threading.Event()
        self.asked.append(text)
        old, answer = list(self.turns), ""
        del self.turns[index:]
        self._tokens = 0
        for piece in self.pieces:
            if self.gate is not None and answer:
                while not self.gate.acquire(timeout=0.01) and not self._stop.is_set():
                    pass
            if self._stop.wait(self.pace):
                break
            piece, lead = lead + piece, ""
            answer += piece
            self._tokens += 1
            yield piece
            if self.fail is not None:
                self.turns[:] = old
                raise self.fail
        if not answer:
            self.turns[:] = old
            return
        self.turns.append(
            Turn(
                text,
                answer,
                state(len(self.turns)),
                state(len(self.turns) + 1),
                (1, 2, 3),
                1,
                1,
                "cancelled" if self._stop.is_set() else "stop",
                self.stats,
            )
        )

    def resume(self, turns: Sequence[Turn], **options: Any) -> int:
        self.turns[:] = turns
        return self.feeds_again

    @property
    def answers(self) -> list[tuple[str, str]]:
        return [(turn.user, turn.assistant) for turn in self.turns]

    def reset(self) -> None:
        self.turns.clear()

    @property
    def stats(self) -> ChatStats:
        return ChatStats(
            1024,
            context_used=38 * len(self.turns) + (38 if self._tokens and not self.turns else 0),
            prompt_tokens=7,
            answer_tokens=self._tokens,
            prefill_seconds=0.1,
            decode_seconds=max(self._tokens, 1) / 41.2,
            first_token_seconds=0.12,
            meter=EnergyMeter.of(self.energy),
        )


def fake_model(name: str) -> Any:
    config = SimpleNamespace(num_layers=8, hidden_size=512, parameters=31_510_000)
    return SimpleNamespace(
        name=name,
        sha256=MODEL,
        config=config,
        file_size=8_500_000,
        weight_bytes=7_000_000,
        close=lambda: None,
    )


def engine(
    chat: FakeChat | None = None,
    device: FakeDevice | None = None,
    *,
    opening: EdgeError | None = None,
    gate: threading.Event | None = None,
) -> Engine:
    """An engine whose doors lead to fakes; the first waits for `gate` and raises `opening`."""
    chat, device = chat or FakeChat(), device or FakeDevice()

    def open_device(uri: str) -> Any:
        if gate is not None:
            gate.wait(30)
        if opening is not None:
            raise opening
        return device

    backend = Backend(
        open_device,
        fake_model,
        lambda session, options, monitor: cast(Any, chat),
        lambda: [device.info],
        lambda: [ModelEntry("tern", Path("tern.edge"), 8_500_000, True)],
    )
    return Engine(Options("tern", "cpu", cast(Any, None), 256), backend)
