"""The session protocol on the CPU device: state, chunks, cancelling, bad input."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

import edge_sdk
from edge_sdk.device import Cancelled
from edge_sdk.errors import ModelRejected, UnsupportedOperation, UsageError


def random_ids(count: int, seed: int = 0) -> list[int]:
    ids: list[int] = np.random.default_rng(seed).integers(0, 512, count).tolist()
    return ids


def test_prefill_and_decode_agree_from_equal_state(session: edge_sdk.Session) -> None:
    session.feed(random_ids(3, seed=1))
    start = session.snapshot()
    ids = random_ids(101)
    at_once = session.feed(ids)
    state = session.snapshot()
    session.restore(start)
    for token in ids:
        one_by_one = session.feed([token])
    # The chunk program of graph ops adds floats in another order than the one-token program; no
    # int8 rounding of this prompt lies near enough to a half-step to fall the other way.
    assert np.abs(at_once.logits - one_by_one.logits).max() < 1e-4
    assert np.abs(state.hidden - session.snapshot().hidden).max() < 1e-5
    assert state.position == session.position == 104


def test_restore_is_exact(session: edge_sdk.Session) -> None:
    session.feed([5, 6, 7])
    saved = session.snapshot()
    first = session.feed([8, 9])
    session.restore(saved)
    assert np.array_equal(session.snapshot().hidden, saved.hidden)
    assert session.position == 3
    second = session.feed([8, 9])
    assert np.array_equal(first.logits, second.logits)


def test_reset_forgets_everything(session: edge_sdk.Session) -> None:
    first = session.feed([1, 17, 42])
    session.reset()
    assert session.position == 0
    assert not session.snapshot().hidden.any()
    assert np.array_equal(first.logits, session.feed([1, 17, 42]).logits)


def test_state_survives_a_file(session: edge_sdk.Session) -> None:
    session.feed([1, 17, 42])
    saved = session.snapshot()
    again = edge_sdk.State.from_bytes(saved.to_bytes())
    assert np.array_equal(again.hidden, saved.hidden)
    assert (again.model, again.position) == (saved.model, saved.position)
    for broken in (b"", b"\x81", saved.to_bytes()[:-3], b"\xc1"):
        with pytest.raises(ModelRejected):
            edge_sdk.State.from_bytes(broken)


def test_a_snapshot_is_a_copy(session: edge_sdk.Session) -> None:
    session.feed([1])
    saved = session.snapshot()
    kept = saved.hidden.copy()
    session.feed([2, 3])
    assert np.array_equal(saved.hidden, kept)


def test_another_models_state_is_refused(session: edge_sdk.Session) -> None:
    saved = session.snapshot()
    with pytest.raises(ModelRejected):
        session.restore(replace(saved, model="0" * 64))
    with pytest.raises(ModelRejected):
        session.restore(replace(saved, hidden=saved.hidden[:-1]))


def test_cancel_leaves_the_state_as_it_was(session: edge_sdk.Session) -> None:
    session.feed([1, 2])
    before = session.snapshot()
    cancel = threading.Event()

    def stop_after_the_first_call(_: str, done: int, total: int) -> None:
        assert 0 < done < total
        cancel.set()

    with pytest.raises(Cancelled):
        session.feed(random_ids(70), cancel=cancel, progress=stop_after_the_first_call)
    assert np.array_equal(session.snapshot().hidden, before.hidden)
    assert session.position == 2


@pytest.mark.parametrize("ids", [[], [-1], [512], [1, 1 << 40]])
def test_bad_ids_are_one_sentence(session: edge_sdk.Session, ids: list[int]) -> None:
    with pytest.raises(UsageError):
        session.feed(ids)
    with pytest.raises(UsageError):
        session.logits(ids)
    assert session.position == 0


def test_two_sessions_do_not_share_state(
    cpu: edge_sdk.Device, golden_model: edge_sdk.Model, session: edge_sdk.Session
) -> None:
    other = cpu.load(golden_model)
    session.feed([1, 17, 42])
    expected = session.feed([7]).logits
    session.reset()
    session.feed([1, 17])
    other.feed([300, 301, 302])
    session.feed([42])
    other.feed([303])
    assert np.array_equal(session.feed([7]).logits, expected)
    other.close()
    with pytest.raises(UnsupportedOperation):
        other.feed([1])


def test_threads_take_turns(session: edge_sdk.Session) -> None:
    """Calls from several threads run one after the other and none is lost."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for token in range(5):
                session.feed([token])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert session.position == 15


def test_telemetry_names_what_is_missing(session: edge_sdk.Session) -> None:
    readings = session.device.telemetry().readings
    assert readings["process_memory"].value
    placed = readings["device_memory"].value
    assert placed is not None and placed >= session.model.weight_bytes
    for reading in readings.values():
        assert reading.available or reading.reason
    power = readings["power"]
    assert power.available or power.remedy
