"""docs/wire-protocol.md, sentence by sentence, on the integer engine and on the compiled RTL."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import pytest

from edge_sdk.devices.board.link import Decoder, Frame
from edge_sdk.devices.board.program import compile_model
from edge_sdk.devices.board.protocol import pack_feed, pack_read, pack_write, read_fed, read_hello
from edge_sdk.devices.virtual import counting
from edge_sdk.devices.virtual.engine import Engine
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.devices.virtual.rtl import RtlEngine
from edge_sdk.errors import EdgeError
from edge_sdk.firmware_images.contract.isa import Instruction, Op
from edge_sdk.firmware_images.contract.wire import (
    ERROR,
    REFUSAL,
    REPLIES,
    REPLY,
    REQUESTS,
    Code,
    Counter,
    Space,
    Type,
)
from edge_sdk.model_file import Model
from tests.devices.board.boards import KIND, TINY


class Board:
    """Sends requests with the numbers that a good host uses, unless told otherwise."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sequence = 99
        self.ask(Type.HELLO)
        self.get(Type.LOAD_BEGIN, bytes(32))

    def raw(self, frame: Frame) -> list[Frame]:
        decoder = Decoder()
        sent = self.engine.receive(frame.encode())
        return [found for one in sent for found in decoder.feed(one.data)]

    def ask(self, kind: int, payload: bytes = b"", sequence: int | None = None) -> Frame:
        self.sequence = (self.sequence + 1) & 0xFFFF
        number = self.sequence if sequence is None else sequence
        (reply,) = self.raw(Frame(kind, number, payload))
        assert reply.sequence == number
        return reply

    def get(self, kind: Type, payload: bytes = b"") -> bytes:
        reply = self.ask(kind, payload)
        assert reply.type == kind | REPLY, refusal(reply)
        return reply.payload

    def refused(
        self, kind: int, payload: bytes = b"", sequence: int | None = None
    ) -> tuple[Code, int]:
        reply = self.ask(kind, payload, sequence)
        request, code, detail = refusal(reply)
        assert request == kind
        return Code(code), detail

    def load(self, image: bytes) -> None:
        self.get(Type.LOAD_BEGIN, bytes(32))
        for start in range(0, len(image), 1024):
            piece = image[start : start + 1024]
            self.get(Type.WRITE, pack_write(Space.MEMORY, start // 2, piece))
        self.get(Type.LOAD_COMMIT, commit(image))


def commit(image: bytes, digest: bytes = bytes(32)) -> bytes:
    return REQUESTS[Type.LOAD_COMMIT].pack(len(image) // 2, zlib.crc32(image), digest)


def refusal(reply: Frame) -> tuple[int, int, int]:
    assert reply.type == ERROR
    found: tuple[int, int, int] = REFUSAL.unpack(reply.payload)
    return found


def i2c(address: int, data: bytes, reads: int) -> bytes | None:
    return bytes([address, *data])[:reads].ljust(reads, b"\xee") if address == 0x42 else None


@pytest.fixture
def image(model: Model) -> bytes:
    return compile_model(model, KIND.geometry).data


@pytest.fixture(scope="module")
def gateware() -> Iterator[Engine]:
    """The compiled RTL, once for all tests: a new upload forgets what was before."""
    try:
        engine = RtlEngine(KIND)
    except (ImportError, EdgeError) as error:
        pytest.skip(f"the gateware cannot be simulated here: {error}")
    yield engine
    engine.close()


@pytest.fixture(params=["integer", "rtl"])
def board(request: pytest.FixtureRequest) -> Board:
    if request.param == "rtl":
        return Board(request.getfixturevalue("gateware"))
    return Board(IntegerEngine(KIND))


@pytest.fixture
def wired_board() -> Board:
    """With a chip on its I2C pins."""
    return Board(IntegerEngine(KIND, i2c=i2c))


@pytest.fixture
def loaded(board: Board, image: bytes) -> Board:
    board.load(image)
    return board


def test_damaged_frames_have_no_reply_and_are_counted(board: Board) -> None:
    good = Frame(Type.HELLO, 5).encode()
    before = REPLIES[Type.COUNTERS].unpack(board.get(Type.COUNTERS))
    assert board.engine.receive(b"\0\0") == []
    assert board.engine.receive(b"\x05abc\0" + good[:-3] + b"\0") == []
    after = REPLIES[Type.COUNTERS].unpack(board.get(Type.COUNTERS))
    assert after[Counter.FRAME_ERRORS] - before[Counter.FRAME_ERRORS] == 2
    assert after[Counter.FRAMES] - before[Counter.FRAMES] == 1


def test_hello_takes_any_number_and_sets_the_count(board: Board) -> None:
    for number in (0, 0xFFFF, 7):
        assert board.ask(Type.HELLO, sequence=number).type == Type.HELLO | REPLY
    assert board.refused(Type.COUNTERS, sequence=9) == (Code.BAD_SEQUENCE, 8)
    assert board.ask(Type.COUNTERS, sequence=8).type == Type.COUNTERS | REPLY


def test_the_count_goes_round(board: Board) -> None:
    board.ask(Type.HELLO, sequence=0xFFFE)
    for number in (0xFFFF, 0, 1):
        assert board.ask(Type.COUNTERS, sequence=number).type == Type.COUNTERS | REPLY


def test_the_last_request_again_has_the_same_reply_and_is_not_executed(loaded: Board) -> None:
    feed = Frame(Type.FEED, (loaded.sequence + 1) & 0xFFFF, pack_feed(0, 3, [1, 2]))
    first, again = loaded.raw(feed), loaded.raw(feed)
    assert first == again
    assert read_hello(loaded.ask(Type.HELLO).payload).position == 2


def test_any_other_number_is_refused_and_changes_nothing(loaded: Board) -> None:
    expected = (loaded.sequence + 1) & 0xFFFF
    for number in (expected + 1, expected - 2, expected + 1000):
        number &= 0xFFFF
        assert loaded.refused(Type.RESET, sequence=number) == (Code.BAD_SEQUENCE, expected)
    assert loaded.ask(Type.RESET, sequence=expected).type == Type.RESET | REPLY
    # The last reply is still that of the last request executed.
    assert loaded.ask(Type.RESET, sequence=expected).type == Type.RESET | REPLY


def test_a_refusal_counts_as_a_reply(board: Board) -> None:
    assert board.refused(Type.RESET) == (Code.NO_MODEL, 0)
    first = board.raw(Frame(Type.RESET, board.sequence))
    assert refusal(first[0])[1] == Code.NO_MODEL
    assert board.ask(Type.COUNTERS).type == Type.COUNTERS | REPLY


@pytest.mark.parametrize("kind", [0, 0x7F, Type.FEED | REPLY, ERROR])
def test_an_unknown_request(board: Board, kind: int) -> None:
    assert board.refused(kind) == (Code.UNKNOWN_TYPE, 0)


@pytest.mark.parametrize("kind", [kind for kind in Type if REQUESTS[kind].size])
def test_a_request_that_is_too_short(loaded: Board, kind: Type) -> None:
    assert loaded.refused(kind, bytes(REQUESTS[kind].size - 1))[0] == Code.BAD_LENGTH


@pytest.mark.parametrize(
    "kind", [kind for kind in Type if kind not in (Type.WRITE, Type.FEED, Type.I2C)]
)
def test_a_request_that_is_too_long(loaded: Board, kind: Type) -> None:
    assert loaded.refused(kind, bytes(REQUESTS[kind].size + 1))[0] == Code.BAD_LENGTH


def test_memory_is_written_and_read_back(board: Board) -> None:
    data = bytes(range(256)) * 4
    board.get(Type.WRITE, pack_write(Space.MEMORY, 1000, data))
    assert board.get(Type.READ, pack_read(Space.MEMORY, 1000, 512)) == data
    check = board.get(Type.CHECK, REQUESTS[Type.CHECK].pack(1000, 512))
    assert check == struct.pack("<I", zlib.crc32(data))


END = KIND.geometry.memory_words


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        (Type.WRITE, pack_write(Space.MEMORY, 0, b""), Code.BAD_LENGTH),
        (Type.WRITE, pack_write(Space.MEMORY, 0, b"xyz"), Code.BAD_LENGTH),
        (Type.WRITE, pack_write(Space.MEMORY, 0, bytes(1026)), Code.BAD_LENGTH),
        (Type.WRITE, pack_write(Space.MEMORY, END, b"xy"), Code.BAD_ADDRESS),
        (Type.WRITE, pack_write(Space.MEMORY, END - 1, b"xyxy"), Code.BAD_ADDRESS),
        (Type.WRITE, pack_write(Space.RAM_S, 8191, b"xyxy"), Code.BAD_ADDRESS),
        (Type.WRITE, pack_write(3, 0, b"xy"), Code.BAD_ARGUMENT),  # type: ignore[arg-type]
        (Type.WRITE, b"\0\1" + bytes(4) + b"xy", Code.BAD_ARGUMENT),
        (Type.READ, pack_read(Space.MEMORY, 0, 0), Code.BAD_LENGTH),
        (Type.READ, pack_read(Space.MEMORY, 0, 513), Code.BAD_LENGTH),
        (Type.READ, pack_read(Space.MEMORY, 0xFFFFFFFF, 1), Code.BAD_ADDRESS),
        (Type.READ, pack_read(Space.RAM_X, 1024, 1), Code.BAD_ADDRESS),
        (Type.CHECK, REQUESTS[Type.CHECK].pack(0, END + 1), Code.BAD_ADDRESS),
        (Type.SET_BAUD, b"\1\0", Code.BAD_ARGUMENT),
        (Type.RESET, b"", Code.NO_MODEL),
        (Type.SEEK, bytes(4), Code.NO_MODEL),
        (Type.FEED, pack_feed(0, 0, [1]), Code.NO_MODEL),
        (Type.LOAD_COMMIT, commit(b""), Code.BAD_ADDRESS),
        (Type.LOAD_COMMIT, commit(bytes(16)), Code.BAD_IMAGE),
        (Type.LOAD_COMMIT, commit(bytes(16), b"x" * 32), Code.BAD_IMAGE),
        (Type.I2C, bytes([0x41, 0, 1]), Code.NO_DEVICE),
        (Type.I2C, bytes([0x42, 1, 1]), Code.BAD_LENGTH),
        (Type.I2C, bytes([0x42, 0, 17]), Code.BAD_ARGUMENT),
        (Type.I2C, bytes([0x42, 17, 0]) + bytes(17), Code.BAD_ARGUMENT),
        (Type.I2C, bytes([0x80, 0, 1]), Code.BAD_ARGUMENT),
        (Type.EXECUTE, bytes(16), Code.BAD_OPCODE),
        (Type.EXECUTE, Instruction(Op.QNT).encode(), Code.BAD_OPCODE),
    ],
)
def test_what_is_refused_without_a_model(
    board: Board, kind: Type, payload: bytes, code: Code
) -> None:
    assert board.refused(kind, payload)[0] == code
    assert board.ask(Type.COUNTERS).type == Type.COUNTERS | REPLY


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        (Type.WRITE, pack_write(Space.MEMORY, 0, b"xy"), Code.BAD_ARGUMENT),
        (Type.FEED, pack_feed(0, 0, []), Code.BAD_LENGTH),
        (Type.FEED, pack_feed(0, 0, [1] * 65), Code.BAD_LENGTH),
        (Type.FEED, pack_feed(0, 0, [1])[:-1], Code.BAD_LENGTH),
        (Type.FEED, pack_feed(0, 65, [1]), Code.BAD_ARGUMENT),
        (Type.FEED, pack_feed(0, 0, [1, TINY.vocab_size]), Code.BAD_TOKEN),
        (Type.FEED, pack_feed(1, 0, [1]), Code.BAD_POSITION),
    ],
)
def test_what_is_refused_with_a_model(
    loaded: Board, kind: Type, payload: bytes, code: Code
) -> None:
    assert loaded.refused(kind, payload)[0] == code
    assert read_hello(loaded.ask(Type.HELLO).payload).position == 0


def scores(reply: bytes) -> tuple[int, int, int, set[tuple[int, int]]]:
    """Position, scale and entries: the cycles depend on when memory was refreshed."""
    fed = read_fed(reply)
    return fed.position, fed.mantissa, fed.shift, set(fed.entries)


def test_position_and_state(loaded: Board) -> None:
    loaded.get(Type.FEED, pack_feed(0, 0, [1, 2, 3]))
    state = loaded.get(Type.READ, pack_read(Space.RAM_S, 0, 32))
    wanted = scores(loaded.get(Type.FEED, pack_feed(3, 5, [4])))
    assert loaded.refused(Type.FEED, pack_feed(3, 5, [4])) == (Code.BAD_POSITION, 4)
    loaded.get(Type.WRITE, pack_write(Space.RAM_S, 0, state))
    loaded.get(Type.SEEK, struct.pack("<I", 3))
    assert scores(loaded.get(Type.FEED, pack_feed(3, 5, [4]))) == wanted
    loaded.get(Type.RESET)
    assert not any(loaded.get(Type.READ, pack_read(Space.RAM_S, 0, 32)))


def test_a_new_upload_forgets_the_model_and_a_commit_clears_the_state(
    loaded: Board, image: bytes
) -> None:
    loaded.get(Type.FEED, pack_feed(0, 0, [1]))
    loaded.get(Type.LOAD_BEGIN, b"n" * 32)
    assert loaded.refused(Type.FEED, pack_feed(0, 0, [1])) == (Code.NO_MODEL, 0)
    assert loaded.refused(Type.LOAD_COMMIT, commit(image)) == (Code.BAD_IMAGE, 0)
    loaded.get(Type.LOAD_COMMIT, commit(image, b"n" * 32))
    hello = read_hello(loaded.get(Type.HELLO))
    assert (hello.model, hello.position) == (b"n" * 32, 0)
    assert not any(loaded.get(Type.READ, pack_read(Space.RAM_S, 0, 32)))


def test_a_program_that_runs_too_long_is_ended(
    wired_board: Board, image: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = wired_board
    loaded.load(image)
    monkeypatch.setattr(counting, "WATCHDOG_CYCLES", 1000)
    assert loaded.refused(Type.FEED, pack_feed(0, 1, [1])) == (Code.WATCHDOG, 0)
    monkeypatch.undo()
    assert read_hello(loaded.ask(Type.HELLO).payload).position == 0


def test_counters_count(loaded: Board) -> None:
    before = REPLIES[Type.COUNTERS].unpack(loaded.get(Type.COUNTERS))
    reply = loaded.get(Type.FEED, pack_feed(0, 1, [1, 2]))
    after = REPLIES[Type.COUNTERS].unpack(loaded.get(Type.COUNTERS))
    cycles = REPLIES[Type.FEED].unpack_from(reply)[1]

    assert after[Counter.BUSY] - before[Counter.BUSY] == cycles > 0
    for counter in (Counter.STREAM_WORDS, Counter.VECTOR_WORDS, Counter.CYCLES, Counter.FRAMES):
        assert after[counter] > before[counter]


def test_i2c_writes_and_then_reads(wired_board: Board) -> None:
    assert wired_board.get(Type.I2C, bytes([0x42, 1, 3, 0x07])) == b"\x42\x07\xee"
