"""`edge-sdk bench --app`: the real app with the real model on a pty; every figure is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.app.bench import measure
from edge_sdk.app.bench.measure import Effort, measure_app
from edge_sdk.app.bench.program import PacedSession, Run
from edge_sdk.errors import UsageError
from edge_sdk.hub import load_model
from tests.fake_session import FakeSession, byte_tokenizer, fake_model


def test_every_figure_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "HISTORY_TOKENS", 300)
    monkeypatch.setattr(measure, "HISTORY_TURN", 100)
    monkeypatch.setattr(measure, "PACED_ANSWER", 300)
    monkeypatch.setattr(measure, "DRAIN_ANSWER", 333)
    with load_model("tern") as model:
        path = model.path
    found = measure_app(str(path), "cpu", Effort(1, 3, 1, 0.5, 1))
    assert found["conversation_tokens"] > 300
    echo, drain = found["key_echo_seconds"], found["drain"]
    assert 0 < echo["p50"] <= echo["p99"] <= echo["largest"]
    assert echo["keys"] == 3
    assert echo["stream_tokens_per_second"] <= measure.PACE * 1.1
    for spread in (found["first_paint_seconds"], found["stop_seconds"]):
        assert 0 < spread["least"] <= spread["median"] <= spread["largest"]
    assert found["meters_core_share"] <= found["idle_core_share"]
    assert 0 < found["memory_without_model_bytes"] < found["memory_bytes"]
    shown, own = (drain[f"{what}_tokens_per_second"] for what in ("screen", "device_under_the_app"))
    assert 0 < shown["median"] <= own["median"]


def test_a_paced_session_never_ends_and_takes_its_time(tmp_path: Path) -> None:
    inner = FakeSession(fake_model(byte_tokenizer()))
    report = tmp_path / "report"
    session = PacedSession(inner, Run("fake", "cpu", tokens=3, rate=100.0, report=str(report)))
    candidates = session.feed([65, 66])
    assert not set(candidates.ids.tolist()) & set(inner.model.stop_ids)
    session.feed([65])
    session.feed([66])
    ((first, last),) = measure._answers(report)
    assert last - first >= 0.015
    assert session.position == inner.position == 4


def test_an_effort_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        Effort(keys=0).check()
