from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest

from edge_sdk.devices.board.link import Decoder, Frame
from edge_sdk.devices.virtual import line as line_module
from edge_sdk.devices.virtual.endpoint import PtyEndpoint, SocketEndpoint
from edge_sdk.devices.virtual.engine import Sent
from edge_sdk.devices.virtual.faults import Faults, Rates
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.devices.virtual.line import Line
from edge_sdk.errors import AccessError, UnsupportedOperation, UsageError
from edge_sdk.firmware_images.contract.wire import DEFAULT_BAUD, REPLY, REQUESTS, Type
from tests.devices.board.boards import KIND


class Clock:
    """Time that passes only when somebody sleeps or waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 1e-6)


class Wire:
    """An endpoint in memory, on a Clock."""

    url = "memory"

    def __init__(self, clock: Clock) -> None:
        self.clock, self.hangups, self.baud = clock, 0, None
        self.to_board = b""
        self.arrived: list[tuple[float, bytes]] = []

    def read(self, most: int, seconds: float) -> bytes:
        data, self.to_board = self.to_board[:most], self.to_board[most:]
        if not data:
            self.clock.sleep(seconds)
        return data

    def write(self, data: bytes) -> None:
        self.arrived.append((self.clock.now, data))

    def host_baud(self) -> int | None:
        return self.baud

    def close(self) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(line_module, "time", clock)
    return clock


def run(line: Line, wire: Wire, seconds: float) -> bytes:
    """What arrives at the host within `seconds` on the clock."""
    wire.arrived.clear()
    until = wire.clock.now + seconds
    line.run(lambda: wire.clock.now >= until)
    return b"".join(data for _, data in wire.arrived)


def set_baud(sequence: int, divisor: int) -> bytes:
    return Frame(Type.SET_BAUD, sequence, REQUESTS[Type.SET_BAUD].pack(divisor)).encode()


def test_a_byte_takes_ten_bits_in_each_direction(clock: Clock) -> None:
    wire, engine = Wire(clock), IntegerEngine(KIND)
    line = Line(wire, lambda: engine)
    request = Frame(Type.HELLO, 1).encode()
    wire.to_board, began = request, clock.now
    reply = run(line, wire, 1.0)

    last = wire.arrived[-1][0]
    expected = 10 * (len(request) + len(reply)) / DEFAULT_BAUD
    assert last - began == pytest.approx(expected, rel=0.02)


def test_a_stream_comes_at_the_rate_of_the_line(clock: Clock) -> None:
    wire, got = Wire(clock), []

    class Sink:
        name, clock_hz = "sink", 75_000_000

        def receive(self, data: bytes) -> list[Sent]:
            got.append((clock.now, len(data)))
            return []

        def close(self) -> None:
            pass

    sink = Sink()
    line = Line(wire, lambda: sink)
    line.baud = 1_000_000
    wire.to_board, began = bytes(100_000), clock.now
    run(line, wire, 3.0)

    assert sum(count for _, count in got) == 100_000
    assert got[-1][0] - began == pytest.approx(1.0, rel=0.02)


def test_a_reply_comes_after_the_boards_own_time(clock: Clock) -> None:
    wire = Wire(clock)

    class Slow(IntegerEngine):
        def receive(self, data: bytes) -> list[Sent]:
            return [Sent(sent.data, 75_000_000) for sent in super().receive(data)]

    engine = Slow(KIND)
    line = Line(wire, lambda: engine)
    wire.to_board, began = Frame(Type.COUNTERS, 0).encode(), clock.now
    run(line, wire, 2.0)

    assert wire.arrived[0][0] - began == pytest.approx(1.0, abs=0.02)


def test_the_rate_changes_after_the_reply(clock: Clock) -> None:
    wire, engine = Wire(clock), IntegerEngine(KIND)
    line = Line(wire, lambda: engine)
    wire.to_board = set_baud(0, 75)
    (reply,) = Decoder().feed(run(line, wire, 0.1))
    assert reply.type == Type.SET_BAUD | REPLY
    assert line.baud == 1_000_000
    wire.to_board = Frame(Type.COUNTERS, 1).encode()
    run(line, wire, 5.0)
    assert line.baud == 1_000_000


def test_a_rate_without_a_good_frame_is_given_up(clock: Clock) -> None:
    wire, engine = Wire(clock), IntegerEngine(KIND)
    line = Line(wire, lambda: engine)
    wire.to_board = set_baud(0, 75)
    run(line, wire, 1.9)
    assert line.baud == 1_000_000
    wire.to_board = b"garbage\0"
    run(line, wire, 0.3)
    assert line.baud == DEFAULT_BAUD


def test_a_refused_rate_is_not_taken(clock: Clock) -> None:
    wire, engine = Wire(clock), IntegerEngine(KIND)
    line = Line(wire, lambda: engine)
    wire.to_board = set_baud(0, 1)
    run(line, wire, 0.1)
    assert line.baud == DEFAULT_BAUD


def test_hanging_up_is_a_break(clock: Clock) -> None:
    wire, engine = Wire(clock), IntegerEngine(KIND)
    line = Line(wire, lambda: engine)
    wire.to_board = set_baud(0, 75) + Frame(Type.COUNTERS, 1).encode()
    run(line, wire, 0.1)
    wire.hangups += 1
    run(line, wire, 0.1)
    assert line.baud == DEFAULT_BAUD


def test_two_rates_that_differ_give_garbage(clock: Clock) -> None:
    wire, engine = Wire(clock), IntegerEngine(KIND)
    line = Line(wire, lambda: engine)
    wire.baud = 9600  # type: ignore[assignment]
    wire.to_board = Frame(Type.HELLO, 1).encode()
    assert run(line, wire, 0.2) == b""
    wire.baud = 115_200  # type: ignore[assignment]
    wire.to_board = b"\0" + Frame(Type.HELLO, 2).encode()
    assert Decoder().feed(run(line, wire, 0.2))[0].sequence == 2


def test_a_board_that_is_off_answers_nothing(clock: Clock) -> None:
    wire = Wire(clock)
    wire.to_board = Frame(Type.HELLO, 1).encode()
    assert run(Line(wire, lambda: None), wire, 0.2) == b""


# Faults.


@pytest.mark.parametrize("text", ["drop", "drop=x", "drop=2", "drop=-1", "rain=0.1", "=0.1"])
def test_faults_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no fault"):
        Rates.parse(text)


def test_rates_are_read() -> None:
    assert Rates.parse("drop=0.5,flip=1") == Rates(drop=0.5, flip=1.0)
    assert Rates.parse("all=0.1,delay=0") == Rates(0.1, 0.1, 0.1, 0.1, 0.1, 0.0)
    assert not Rates.parse("").any


STREAM = b"".join(bytes([65 + index]) * 5 + b"\0" for index in range(20))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("drop", b""),
        ("duplicate", b"".join(2 * STREAM[at : at + 6] for at in range(0, 120, 6))),
        ("", STREAM),
    ],
)
def test_certain_faults(kind: str, expected: bytes) -> None:
    rates = Rates.parse(f"{kind}=1" if kind else "")
    assert Faults(rates, 1).carry(STREAM, 0.0) == expected


def test_swapped_and_late_stretches_come_in_the_end() -> None:
    swapped = Faults(Rates(reorder=0.5), 3).carry(STREAM, 0.0)
    assert swapped != STREAM
    assert sorted(swapped.split(b"\0"))[-10:] == sorted(STREAM.split(b"\0"))[-10:]
    late = Faults(Rates(delay=1.0), 3)
    assert late.carry(STREAM, 0.0) == b""
    assert len(late.due(10.0)) == len(STREAM)
    assert late.due(20.0) == b""


def test_a_flip_is_one_bit_and_a_seed_is_the_same_cable() -> None:
    once, again = Faults(Rates(flip=1.0), 7), Faults(Rates(flip=1.0), 7)
    damaged = once.carry(STREAM, 0.0)
    assert damaged == again.carry(STREAM, 0.0)
    bits = sum((a ^ b).bit_count() for a, b in zip(STREAM, damaged, strict=True))
    assert bits == once.injected == 20


# Endpoints.


@pytest.fixture
def pty_endpoint() -> Iterator[PtyEndpoint]:
    endpoint = PtyEndpoint()
    yield endpoint
    endpoint.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_pty_survives_its_hosts(pty_endpoint: PtyEndpoint) -> None:
    import serial

    assert pty_endpoint.read(10, 0) == b""
    for rate in (115_200, 3_000_000):
        with serial.Serial(pty_endpoint.url, rate, timeout=1) as host:
            host.write(b"\0\x03abc")
            assert pty_endpoint.read(10, 1.0) == b"\0\x03abc"
            assert pty_endpoint.host_baud() == rate
            pty_endpoint.write(b"\x11xyz")
            assert host.read(4) == b"\x11xyz"
        before = pty_endpoint.hangups
        assert pty_endpoint.read(10, 0) == b""
        assert pty_endpoint.hangups == before + 1
        pty_endpoint.write(b"to nobody")


def test_windows_is_sent_to_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UnsupportedOperation) as caught:
        PtyEndpoint()
    assert "--port" in (caught.value.hint or "")


def test_a_socket_takes_one_host_at_a_time() -> None:
    import socket

    endpoint = SocketEndpoint(0)
    port = int(endpoint.url.rpartition(":")[2])
    assert endpoint.url.startswith("socket://127.0.0.1:")
    with pytest.raises(AccessError, match=f"port {port}"):
        SocketEndpoint(port)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            endpoint.write(endpoint.read(100, 0.01))

    thread = threading.Thread(target=serve)
    thread.start()
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as first:
            first.sendall(b"hello")
            assert first.recv(5) == b"hello"
            with socket.create_connection(("127.0.0.1", port), timeout=5) as second:
                assert second.recv(1) == b""
        until = time.monotonic() + 10
        while endpoint._host is not None and time.monotonic() < until:
            time.sleep(0.005)
    stop.set()
    thread.join()
    endpoint.close()
    assert endpoint.hangups == 4
