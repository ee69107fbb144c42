from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.config import ModelConfig
from edge_sdk.device import Cancelled, State
from edge_sdk.devices.board import session as session_module
from edge_sdk.devices.board.integer_model import IntegerModel
from edge_sdk.devices.board.link import Decoder, Frame
from edge_sdk.devices.board.session import CHUNK_SECONDS, BoardSession
from edge_sdk.devices.virtual.direct import DirectTransport
from edge_sdk.devices.virtual.engine import Sent
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.errors import (
    DeviceDisconnected,
    LinkError,
    ModelRejected,
    OutOfMemory,
    UnsupportedOperation,
    UsageError,
)
from edge_sdk.firmware_images.contract.wire import MAX_FEED, REPLY, Type
from edge_sdk.generation import generate
from edge_sdk.model_file import Model, open_model
from edge_sdk.random_model import write_random_model
from edge_sdk.sampling import Sampler
from tests.devices.board.boards import KIND, PROMPT, TINY, direct_board
from tests.helpers import packed_model


def test_tokens_are_the_integer_models(model: Model) -> None:
    with direct_board() as device:
        session = device.load(model)
        wanted = IntegerModel(KIND.geometry, device.compiled(model, None).data)
        ids = list(PROMPT)
        for _ in range(20):
            found, scores = session.feed(ids), wanted.feed(ids, 24)
            assert scores is not None
            order = np.argsort(scores.rows)
            assert np.array_equal(found.ids, scores.rows[order])
            assert np.array_equal(found.logits, scores.logits[order])
            assert found.ids.dtype == np.int32
            assert found.logits.dtype == np.float32
            assert found.best() == scores.rows[0]
            ids = [found.best()]
        assert np.array_equal(session.snapshot().hidden.ravel() * session._scale, wanted.snapshot())


@pytest.mark.parametrize("count", [1, 24, 40, 64])
def test_as_many_candidates_as_asked_for(model: Model, count: int) -> None:
    with direct_board(candidates=count) as device:
        found = device.load(model).feed(PROMPT)

    assert len(found.ids) == min(count, TINY.vocab_size)
    assert np.all(np.diff(found.ids) > 0)


def test_sampling_stays_on_the_host(model: Model) -> None:
    runs = []
    for _ in range(2):
        with direct_board() as device:
            sampler = Sampler(temperature=1.0, seed=3)
            tokens = generate(
                device.load(model), PROMPT, sampling=sampler, max_tokens=12, stop_ids=[]
            )
            runs.append(list(tokens))

    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 1


@pytest.mark.parametrize("length", [2, MAX_FEED, 3 * MAX_FEED + 5])
def test_a_long_prompt_in_chunks_is_the_same_as_one_by_one(model: Model, length: int) -> None:
    ids = [index * 7 % TINY.vocab_size for index in range(length)]
    with direct_board() as one, direct_board() as many:
        first, second = one.load(model), many.load(model)
        for token in ids:
            wanted = first.feed([token])
        told: list[tuple[str, int, int]] = []
        found = second.feed(ids, progress=lambda *call: told.append(call))

    assert np.array_equal(found.logits, wanted.logits)
    assert (first.position, second.position) == (length, length)
    assert told[-1] == ("prompt", length, length)


@pytest.mark.parametrize("stop_at", range(10))
def test_cancelled_at_any_token_the_state_is_the_one_before(model: Model, stop_at: int) -> None:
    with direct_board() as device, direct_board() as other:
        session, reference = device.load(model), other.load(model)
        for one in (session, reference):
            one.feed(PROMPT)
        session._token_seconds = CHUNK_SECONDS  # one token a FEED
        reply = device.client.transport
        cancel = threading.Event()

        def stop(what: str, done: int, total: int) -> None:
            session._token_seconds = CHUNK_SECONDS
            if done == stop_at:
                cancel.set()

        if stop_at == 0:
            cancel.set()
        before = session.cycles
        with pytest.raises(Cancelled):
            session.feed(list(range(10)), cancel=cancel, progress=stop)
        fed = session.cycles - before

        assert session.position == len(PROMPT)
        assert fed <= stop_at * 20_000
        assert reply.read(0) == b""
        assert np.array_equal(session.feed([3]).logits, reference.feed([3]).logits)


def test_no_feed_keeps_a_board_busy_for_longer_than_a_chunk(model: Model) -> None:
    """Cancel acts between FEEDs, so this bounds how long the board goes on."""
    with direct_board() as device:
        session = device.load(model)
        for seconds, most in ((0.043, 2), (0.2, 1), (3.0, 1), (1e-6, MAX_FEED)):
            session._token_seconds = seconds
            assert session._chunk() == most
            assert session._chunk() == 1 or session._chunk() * seconds <= 0.2


def test_snapshots_go_round_exactly(model: Model) -> None:
    with direct_board() as device:
        session = device.load(model)
        session.feed(PROMPT)
        saved = session.snapshot()
        once = session.feed([4, 5, 6]).logits
        session.restore(State.from_bytes(saved.to_bytes()))
        assert session.position == saved.position
        again = session.feed([4, 5, 6]).logits
        session.reset()
        assert session.position == 0
        assert not session.snapshot().hidden.any()

    assert np.array_equal(once, again)


def test_a_snapshot_is_a_copy(model: Model) -> None:
    with direct_board() as device:
        session = device.load(model)
        session.feed(PROMPT)
        saved = session.snapshot()
        saved.hidden[:] = 7.0
        assert not np.array_equal(session.snapshot().hidden, saved.hidden)


def test_extreme_states_are_kept(model: Model) -> None:
    with direct_board() as device:
        session = device.load(model)
        hidden = np.zeros((2, 16), np.float32)
        hidden[0, :3] = np.array([-32768, 32767, 1]) / session._scale
        session.restore(State(model.sha256, 9, hidden))
        session._since = [0]
        assert np.array_equal(session.snapshot().hidden, hidden)


@pytest.mark.parametrize("steps", [0.5, 32768.0, float("nan"), float("inf")])
def test_a_state_that_a_board_cannot_hold_is_refused(model: Model, steps: float) -> None:
    with direct_board() as device:
        session = device.load(model)
        session.feed(PROMPT)
        hidden = np.full((2, 16), steps / session._scale, np.float32)
        with pytest.raises(ModelRejected, match="floating point"):
            session.restore(State(model.sha256, 3, hidden))
        assert session.position == len(PROMPT)


def test_another_models_state_is_refused(model: Model) -> None:
    with direct_board() as device:
        session = device.load(model)
        for sha256, shape in (("0" * 64, (2, 16)), (model.sha256, (3, 16))):
            with pytest.raises(ModelRejected, match="another model"):
                session.restore(State(sha256, 1, np.zeros(shape, np.float32)))


@pytest.mark.parametrize("ids", [[], [40], [-1], [1.5], [[1]]])
def test_bad_ids_are_refused_before_anything_runs(model: Model, ids: list[int]) -> None:
    with direct_board() as device:
        session = device.load(model)
        with pytest.raises(UsageError):
            session.feed(ids)
        assert session.position == 0


def test_logits_are_not_there(model: Model) -> None:
    with direct_board() as device, pytest.raises(UnsupportedOperation, match="best 24"):
        device.load(model).logits([1])


def test_one_session_at_a_time(model: Model) -> None:
    with direct_board() as device:
        session = device.load(model)
        with pytest.raises(UnsupportedOperation, match="one at a time"):
            device.load(model)
        session.close()
        with pytest.raises(UnsupportedOperation, match="closed"):
            session.feed([1])
        assert device.load(model).feed([1]).ids.size
    with pytest.raises(UnsupportedOperation, match="closed"):
        device.load(model)


def test_several_boards_at_once(model: Model) -> None:
    boards = [direct_board() for _ in range(3)]
    sessions = [board.load(model) for board in boards]
    for index, session in enumerate(sessions):
        session.feed(PROMPT[: index + 1])
    assert [session.position for session in sessions] == [1, 2, 3]
    for board in boards:
        board.close()


def test_a_model_that_is_too_big_is_refused_with_the_arithmetic(tmp_path: Path) -> None:
    path = tmp_path / "big.edge"
    write_random_model(path, ModelConfig(256, 1152, 8, 2048), "big")
    with (
        open_model(path) as big,
        direct_board() as device,
        pytest.raises(OutOfMemory, match="RAM X holds 1024 values and 1152 are needed"),
    ):
        device.load(big)


class Losing:
    """An engine that does as told with the replies to FEED."""

    def __init__(self) -> None:
        self.engine = IntegerEngine(KIND)
        self.name, self.clock_hz = self.engine.name, self.engine.clock_hz
        self.lose = 0
        """How many replies to FEED are lost from now on."""
        self.hello_after = False
        """Whether a late HELLO of an old host comes in behind the lost one."""

    def receive(self, data: bytes) -> list[Sent]:
        kept = []
        for sent in self.engine.receive(data):
            if self.lose and _type_of(sent) == Type.FEED | REPLY:
                self.lose -= 1
                if self.hello_after:
                    self.engine.receive(Frame(Type.HELLO, 77).encode())
                continue
            kept.append(sent)
        return kept

    def restart(self) -> None:
        self.engine = IntegerEngine(KIND)

    def close(self) -> None:
        pass


def _type_of(sent: Sent) -> int:
    return Decoder().feed(sent.data)[0].type


def losing_board(model: Model) -> tuple[Losing, BoardSession]:
    engine = Losing()
    session = direct_board(engine).load(model)
    session.feed(PROMPT)
    return engine, session


def expected_after(model: Model, *feeds: list[int]) -> np.ndarray:
    with direct_board() as device:
        session = device.load(model)
        session.feed(PROMPT)
        for ids in feeds:
            found = session.feed(ids)
        return found.logits


def test_a_lost_answer_is_asked_for_again(model: Model) -> None:
    engine, session = losing_board(model)
    engine.lose = 3

    assert np.array_equal(session.feed([5]).logits, expected_after(model, [5]))
    assert session.device.client.repeats == 3


def test_an_answer_lost_together_with_the_count_is_computed_again(model: Model) -> None:
    """The board executed FEED, so its position is ahead: it goes back to the known state."""
    engine, session = losing_board(model)
    session.snapshot()
    session.feed([6])
    engine.lose, engine.hello_after = 1, True

    assert np.array_equal(session.feed([5]).logits, expected_after(model, [6], [5]))
    assert session.position == len(PROMPT) + 2


def test_after_a_dead_line_the_session_goes_on_from_before_the_call(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, session = losing_board(model)
    monkeypatch.setattr(session_module, "SIMULATED_PATIENCE", 0.3)
    engine.lose = 1000
    with pytest.raises(LinkError, match="no board answered FEED"):
        session.feed([5])
    engine.lose = 0

    assert session.position == len(PROMPT)
    assert np.array_equal(session.feed([5]).logits, expected_after(model, [5]))


def test_a_board_that_restarted_is_told_of_and_can_be_loaded_again(model: Model) -> None:
    engine, session = losing_board(model)
    saved = session.snapshot()
    engine.restart()
    with pytest.raises(DeviceDisconnected, match="lost the model") as caught:
        session.feed([5])
    assert caught.value.hint
    session.close()
    again = session.device.load(model)
    again.restore(saved)

    assert np.array_equal(again.feed([5]).logits, expected_after(model, [5]))


def test_the_board_says_how_long_it_would_take(model: Model) -> None:
    with direct_board() as device:
        session = device.load(model)
        session.feed(PROMPT)
        transport = device.client.transport
        speed = device.telemetry()["board_speed"]
        assert isinstance(transport, DirectTransport)
        assert transport.board_seconds > 0
        assert transport.seconds > 0

    assert speed.value is not None
    assert speed.value == pytest.approx(75e6 * len(PROMPT) / session.cycles)
    assert "cycles a token at 75 MHz" in speed.source


def test_a_packed_model_with_odd_sizes_runs(tmp_path: Path) -> None:
    config = ModelConfig(vocab_size=33, hidden_size=18, num_layers=1, intermediate_size=26)
    with open_model(packed_model(tmp_path, config)) as odd, direct_board() as device:
        session = device.load(odd)
        session.feed([1, 2, 3])
        saved = session.snapshot()
        wanted = session.feed([4]).logits
        session.restore(saved)
        assert np.array_equal(session.feed([4]).logits, wanted)
