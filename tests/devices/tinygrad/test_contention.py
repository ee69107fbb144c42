"""When a lone thread computes: measured on a made-up machine, and without changing a bit."""

from __future__ import annotations

import numpy as np
import pytest

import edge_sdk
from edge_sdk.devices.tinygrad.contention import LEAST_CALLS, LONGEST, WINDOW, Contention


class Machine:
    """A call takes `together` or `alone` seconds; threads are interrupted so often a second."""

    def __init__(self, together: float, alone: float, interrupted: float) -> None:
        self.together, self.alone, self.interrupted = together, alone, interrupted
        self.count = self.now = 0.0
        self.contention = Contention(2, lambda: int(self.count), lambda: self.now)

    def run(self, calls: int) -> tuple[float, int]:
        """(seconds, calls computed alone)."""
        total, lone = 0.0, 0
        for _ in range(calls):
            alone = self.contention.alone
            seconds = self.alone if alone else self.together
            self.count += 0 if alone else self.interrupted * seconds
            self.now += seconds
            self.contention.count(seconds)
            total, lone = total + seconds, lone + alone
        return total, lone


def test_a_quiet_machine_never_computes_alone() -> None:
    assert Machine(0.002, 0.004, interrupted=100).run(5000)[1] == 0


def test_what_happens_between_calls_is_no_contention() -> None:
    machine = Machine(0.002, 0.001, interrupted=0)
    for _ in range(10):
        machine.run(20)
        machine.now += 5
        machine.count += 500
    assert machine.run(100)[1] == 0


def test_where_one_thread_is_faster_it_computes_nearly_all() -> None:
    machine = Machine(0.004, 0.002, interrupted=1000)
    machine.run(1000)
    seconds, _ = machine.run(5000)
    assert seconds < 5000 * 0.002 * 1.05


def test_where_all_threads_are_faster_they_compute_nearly_all() -> None:
    machine = Machine(0.003, 0.004, interrupted=1000)
    machine.run(1000)
    seconds, lone = machine.run(5000)
    assert lone > 0
    assert seconds < 5000 * 0.003 * 1.05


def test_all_threads_come_back_when_the_other_program_has_ended() -> None:
    machine = Machine(0.004, 0.002, interrupted=1000)
    machine.run(3000)
    machine.together, machine.interrupted = 0.001, 0
    back = round((LONGEST + WINDOW) / 0.001)
    machine.run(back)
    assert machine.run(5000)[1] == 0


def test_long_calls_are_measured_by_number() -> None:
    machine = Machine(1.0, 0.5, interrupted=1000)
    assert machine.run(LEAST_CALLS)[1] == 0
    assert machine.run(LEAST_CALLS)[1] == LEAST_CALLS


def test_alone_and_together_give_the_same_bits(
    fused_session: edge_sdk.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [3, 1, 4, 1, 5, 9, 2, 6] * 8
    expected = [fused_session.feed([token]).logits.copy() for token in ids]
    state = fused_session.snapshot().hidden
    fused_session.reset()
    prompt = fused_session.feed(ids).logits.copy()
    used = fused_session._contention  # type: ignore[attr-defined]
    assert sorted(used) == [1, 32]
    for contention in used.values():
        monkeypatch.setattr(contention, "count", lambda seconds: None)
        monkeypatch.setattr(contention, "alone", True)
    fused_session.reset()
    for token, logits in zip(ids, expected, strict=True):
        monkeypatch.setattr(used[1], "alone", not used[1].alone)
        assert np.array_equal(fused_session.feed([token]).logits, logits)
    assert np.array_equal(fused_session.snapshot().hidden, state)
    fused_session.reset()
    assert np.array_equal(fused_session.feed(ids).logits, prompt)
