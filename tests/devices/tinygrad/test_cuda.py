"""The CUDA kernels on a real card: integers exactly, floats closely, sessions and batches apart."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_sdk
from edge_sdk.config import ModelConfig
from edge_sdk.device import Cancelled
from edge_sdk.devices.tinygrad import engine
from edge_sdk.errors import OutOfMemory, UsageError
from edge_sdk.model_file import open_model
from edge_sdk.random_model import write_random_model

pytestmark = pytest.mark.gpu("cuda")

FLIP = 0.3
"""What one rounding that fell the other way may move a logit of golden_small by."""


@pytest.fixture(scope="module")
def cuda() -> Iterator[Any]:
    with edge_sdk.open_device("cuda:0") as device:
        if not device.info.details["kernels"].startswith("fused CUDA"):
            pytest.fail(f"the fast path was refused: {device.info.details}")
        yield device


@pytest.fixture(scope="module")
def shared(cuda: Any, golden_model: edge_sdk.Model) -> Any:
    return cuda.load(golden_model)


@pytest.fixture
def session(shared: Any) -> Any:
    shared.reset()
    return shared


@pytest.fixture(scope="module")
def oracle(golden_model: edge_sdk.Model) -> Iterator[edge_sdk.Session]:
    """The same model on the same card with graph ops."""
    with edge_sdk.open_device("cuda:0") as device:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("EDGE_KERNELS", "graph")
            session = device.load(golden_model)
        yield session


def test_golden_vectors_token_by_token(session: Any, golden: dict[str, Any]) -> None:
    for position, token in enumerate(golden["input_ids"][0].tolist()):
        logits = session.feed([token]).logits
        assert np.abs(logits - golden["logits"][0][position]).max() < 1e-3
    assert np.abs(session.snapshot().hidden - golden["states"][:, 0, 0]).max() < 1e-3


def test_golden_vectors_as_one_prompt(session: Any, golden: dict[str, Any]) -> None:
    logits = session.logits(golden["input_ids"][0].tolist())
    assert np.abs(logits - golden["logits"][0]).max() < 1e-3
    assert np.abs(session.snapshot().hidden - golden["states"][:, 0, 0]).max() < 1e-3


# width, inner: no multiple of anything; one block; more than one; a long row
@pytest.mark.parametrize(("width", "inner"), [(50, 71), (256, 512), (600, 1100), (1280, 3456)])
def test_integer_sums_are_exact(cuda: Any, tmp_path: Path, width: int, inner: int) -> None:
    from edge_sdk.devices.tinygrad.cuda.self_test import check_sums

    config = ModelConfig(101, width, 2, inner)
    write_random_model(tmp_path / "odd.edge", config, "odd")
    with open_model(tmp_path / "odd.edge") as model:
        session = cuda.load(model)
        engine.run(check_sums, session._resident)
        ids = np.random.default_rng(1).integers(0, 101, 90).tolist()
        prompt = session.feed(ids).logits
        session.reset()
        one_by_one = [session.feed([token]) for token in ids][-1].logits
        # Both round to int8 before every product, so a flip may tell them apart, but not by much.
        assert np.abs(prompt - one_by_one).max() < 0.2 * np.abs(prompt).max()
        session.close()


def test_each_of_1000_tokens_from_the_oracles_state(session: Any, oracle: Any) -> None:
    session.reset()
    token, flips = 1, 0
    for _ in range(1000):
        oracle.restore(session.snapshot())
        expected, found = oracle.feed([token]), session.feed([token])
        error = float(np.abs(found.logits - expected.logits).max())
        assert error < FLIP
        flips += error > 1e-4
        token = found.best()
    assert flips < 100


def test_greedy_on_the_card_picks_what_the_host_picks(session: Any) -> None:
    on_card = session.greedy(5, 100)
    state = session.snapshot()
    session.reset()
    token, on_host = 5, []
    for _ in range(100):
        token = session.feed([token]).best()
        on_host.append(token)
    assert on_card == on_host
    assert np.array_equal(state.hidden, session.snapshot().hidden)
    assert session.position == state.position == 100


def test_two_sessions_interleaved_share_weights_and_nothing_else(
    cuda: Any, session: Any, golden_model: edge_sdk.Model
) -> None:
    other = cuda.load(golden_model)
    assert other._resident is session._resident
    alone = [session.feed([token]).logits for token in (3, 4, 5, 6)]
    session.reset()
    for token, expected in zip((3, 4, 5, 6), alone, strict=True):
        other.feed([token + 7])
        assert np.array_equal(session.feed([token]).logits, expected)
    other.close()
    assert np.isfinite(session.feed([1]).logits).all()


def test_threads_take_turns(cuda: Any, session: Any, golden_model: edge_sdk.Model) -> None:
    expected = session.greedy(9, 200)
    sessions = [cuda.load(golden_model) for _ in range(3)]
    found: list[list[int]] = [[], [], []]

    def run(number: int) -> None:
        found[number] = sessions[number].greedy(9, 200)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3
    for each in sessions:
        each.close()


def test_cancel_in_a_long_prompt_leaves_the_state(session: Any) -> None:
    session.feed([1, 2, 3])
    before = session.snapshot()
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        session.feed([4] * 1500, cancel=cancel, progress=lambda *_: cancel.set())
    after = session.snapshot()
    assert np.array_equal(before.hidden, after.hidden) and before.position == after.position


def test_restore_continues_exactly(session: Any) -> None:
    session.feed([1, 2, 3, 4, 5])
    saved = session.snapshot()
    first = session.greedy(6, 20)
    session.restore(saved)
    assert session.greedy(6, 20) == first


def test_a_batch_gives_what_sessions_give(
    cuda: Any, session: Any, golden_model: edge_sdk.Model
) -> None:
    batch = cuda.load_batch(golden_model, slots=5)
    prompts = [[1, 2, 3, 4, 5], [9], [7, 7, 8]]
    slots = [batch.join() for _ in prompts]
    picks = {
        slot: batch.prompt(slot, prompt).best() for slot, prompt in zip(slots, prompts, strict=True)
    }
    rolled: dict[int, list[int]] = {slot: [pick] for slot, pick in picks.items()}
    for step in range(12):
        # Continuous batching: not everybody takes part in every step.
        taking_part = [slot for slot in slots if (slot + step) % 3]
        picks |= batch.step({slot: picks[slot] for slot in taking_part})
        for slot in taking_part:
            rolled[slot].append(picks[slot])
    for slot, prompt in zip(slots, prompts, strict=True):
        session.reset()
        first = session.feed(prompt).best()
        expected = [first, *session.greedy(first, len(rolled[slot]) - 1)]
        assert rolled[slot] == expected
        batch.leave(slot)
    with pytest.raises(UsageError):
        batch.step({slots[0]: 1})
    batch.close()


def test_more_than_fits_is_said_in_a_sentence(
    cuda: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_sdk.devices.tinygrad.layout import Layout

    write_random_model(tmp_path / "small.edge", ModelConfig(101, 256, 1, 256), "small")
    monkeypatch.setattr(Layout, "state", property(lambda self: 1 << 46))
    with (
        open_model(tmp_path / "small.edge") as model,
        pytest.raises(OutOfMemory, match="working memory"),
    ):
        cuda.load(model)


LOST = """
import sys, edge_sdk
from edge_sdk.errors import DeviceDisconnected
with edge_sdk.open_device("cuda:0") as device:
    session = device.load(edge_sdk.load_model(sys.argv[1]))
    session._args.logits = 64  # nobody's memory: the card stops the program
    for _ in range(2):
        try:
            session.feed([1])
        except DeviceDisconnected as error:
            print("told:", error)
"""


def test_a_lost_card_is_said_in_a_sentence(golden_model: edge_sdk.Model) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOST, str(golden_model.path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.count("told: the GPU stopped answering") == 2, done.stderr
