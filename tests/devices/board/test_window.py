from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.devices.board.link import Decoder, Frame
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.devices.board.window import SIZE, Window
from edge_sdk.firmware_images.contract.wire import ERROR, REFUSAL, REPLY, Code, Type


def refusal(sequence: int, code: Code, detail: int = 0) -> Frame:
    return Frame(ERROR, sequence, REFUSAL.pack(Type.WRITE, code, detail))


class Board:
    """Executes numbers in order, as docs/wire-protocol.md says."""

    def __init__(self, first: int) -> None:
        self.expected, self.last = first % 65536, -1
        self.executed: list[bytes] = []

    def receive(self, frame: Frame) -> Frame:
        if frame.sequence == self.expected:
            self.executed.append(frame.payload)
            self.last, self.expected = frame.sequence, (frame.sequence + 1) % 65536
        elif frame.sequence != self.last:
            return refusal(frame.sequence, Code.BAD_SEQUENCE, self.expected)
        return Frame(Type.WRITE | REPLY, frame.sequence)


@given(st.integers(0, 65535), st.integers(0, 3 * SIZE), st.integers(0, 50), st.integers(0, 1 << 32))
def test_whatever_is_lost_everything_is_executed_once_and_in_order(
    first: int, count: int, percent: int, seed: int
) -> None:
    rng = random.Random(seed)
    payloads = [index.to_bytes(2, "little") for index in range(count)]
    window, board = Window(Type.WRITE, first, payloads), Board(first)
    in_flight: list[Frame] = []
    while not window.done:
        encoded = window.next()
        if encoded is not None and rng.randrange(100) >= percent:
            (frame,) = Decoder().feed(encoded)
            in_flight.append(board.receive(frame))
        # Replies come late, in order, and not all of them.
        if in_flight and (encoded is None or rng.random() < 0.3):
            reply = in_flight.pop(0)
            if rng.randrange(100) >= percent:
                window.take(reply)
        elif encoded is None:
            window.again()

    assert board.executed == payloads
    assert window.acknowledged == count
    assert not window.lost


def test_no_more_than_its_size_is_under_way() -> None:
    window = Window(Type.WRITE, 5, [b"xy"] * (2 * SIZE))
    sent = [window.next() for _ in range(SIZE + 3)]
    assert sent[SIZE:] == [None] * 3
    assert window.under_way == sum(len(frame or b"") for frame in sent)
    window.take(Frame(Type.WRITE | REPLY, 5))
    assert window.next() is not None
    assert window.next() is None


def test_one_loss_is_told_once_although_all_behind_it_are_refused() -> None:
    window = Window(Type.WRITE, 0, [b"xy"] * 10)
    for _ in range(10):
        window.next()
    for sequence in range(3):
        window.take(Frame(Type.WRITE | REPLY, sequence))
    # The fourth was lost; the six behind it are refused.
    for sequence in range(4, 10):
        window.take(refusal(sequence, Code.BAD_SEQUENCE, 3))
    assert (window.acknowledged, window.repeats) == (3, 7)
    assert [frame is not None for frame in (window.next() for _ in range(8))] == [True] * 7 + [
        False
    ]


def test_a_board_that_counts_otherwise_is_lost() -> None:
    window = Window(Type.WRITE, 100, [b"xy"] * 3)
    window.next()
    window.take(refusal(100, Code.BAD_SEQUENCE, 7))
    assert window.lost
    assert window.done
    assert window.acknowledged == 0


def test_any_other_refusal_ends_it() -> None:
    window = Window(Type.WRITE, 0, [b"xy"])
    window.next()
    with pytest.raises(Refused) as caught:
        window.take(refusal(0, Code.BAD_ADDRESS))
    assert caught.value.code == Code.BAD_ADDRESS


def test_what_belongs_elsewhere_is_passed_over() -> None:
    window = Window(Type.WRITE, 10, [b"xy"] * 2)
    window.next()
    for stranger in (
        Frame(Type.WRITE | REPLY, 9),
        Frame(Type.READ | REPLY, 10),
        refusal(500, Code.BAD_SEQUENCE, 3),
    ):
        assert not window.take(stranger)
    assert (window.acknowledged, window.lost) == (0, False)


def test_an_old_refusal_that_comes_late_is_passed_over_and_a_stubborn_one_is_not() -> None:
    window = Window(Type.WRITE, 0, [b"xy"] * 10)
    for sequence in range(5):
        window.next()
        window.take(Frame(Type.WRITE | REPLY, sequence))
    assert not window.take(refusal(3, Code.BAD_SEQUENCE, 2))
    assert not window.lost
    for _ in range(SIZE):
        window.take(refusal(5, Code.BAD_SEQUENCE, 2))
    assert window.lost
