from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import numpy as np
import pytest
import serial

from edge_sdk.devices.board.device import BoardDevice
from edge_sdk.devices.board.options import Options
from edge_sdk.devices.board.transport import PortTransport
from edge_sdk.devices.virtual.endpoint import PtyEndpoint
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.devices.virtual.line import Line
from edge_sdk.errors import (
    DeviceBusy,
    DeviceDisconnected,
    DeviceNotFound,
    DevicePermission,
    DeviceTimeout,
    EdgeError,
    LinkError,
)
from edge_sdk.firmware_images.contract.wire import DEFAULT_BAUD
from edge_sdk.model_file import Model
from tests.devices.board.boards import KIND, PROMPT, bare_pty, on_pty, on_socket, running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
HOLD = """
import serial, sys
port = serial.Serial(sys.argv[1], exclusive=True)
print("open", flush=True)
sys.stdin.read()
"""


def test_bytes_go_both_ways() -> None:
    with bare_pty() as (master, path):
        transport = PortTransport(path, DEFAULT_BAUD)
        transport.write(b"\0\x11\x13\xff\r\n\x04")
        assert os.read(master, 100) == b"\0\x11\x13\xff\r\n\x04"
        os.write(master, bytes(range(256)))
        assert transport.read(1.0) == bytes(range(256))
        assert transport.read(0) == b""
        transport.close()
        transport.close()


def test_a_read_without_data_ends() -> None:
    with bare_pty() as (_, path):
        transport = PortTransport(path, DEFAULT_BAUD)
        began = time.monotonic()
        assert transport.read(60.0) == b""
        assert time.monotonic() - began < 10
        transport.close()


def test_a_second_process_is_told_who_has_the_port() -> None:
    with bare_pty() as (_, path):
        command = [sys.executable, "-c", HOLD, path]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        try:
            with pytest.raises(DeviceBusy) as caught:
                PortTransport(path, DEFAULT_BAUD)
        finally:
            holder.communicate()
        if sys.platform == "linux":
            assert f"(process {holder.pid})" in str(caught.value)
        PortTransport(path, DEFAULT_BAUD).close()


def test_the_same_process_cannot_open_a_port_twice() -> None:
    with bare_pty() as (_, path):
        first = PortTransport(path, DEFAULT_BAUD)
        with pytest.raises(DeviceBusy):
            PortTransport(path, DEFAULT_BAUD)
        first.close()


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(DeviceNotFound, match="/dev/no-such-port"):
        PortTransport("/dev/no-such-port", DEFAULT_BAUD)


def test_a_file_is_no_port() -> None:
    with pytest.raises(DeviceNotFound):
        PortTransport(__file__, DEFAULT_BAUD)


def test_nobody_at_a_socket() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DeviceNotFound, match="nothing answers"):
        PortTransport(f"socket://127.0.0.1:{port}", DEFAULT_BAUD)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (serial.SerialException(errno.EACCES, "could not open port"), DevicePermission),
        (serial.SerialException("could not open port 'COM3': PermissionError(13)"), None),
        (serial.SerialException(errno.EBUSY, "could not open port"), DeviceBusy),
        (OSError(errno.ENXIO, "no such device"), DeviceNotFound),
        (ValueError("not a valid baudrate"), DeviceNotFound),
    ],
)
def test_every_way_not_to_open_is_a_typed_error(
    error: Exception, kind: type[EdgeError] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(serial, "serial_for_url", fail)
    with pytest.raises(kind or DevicePermission) as caught:
        PortTransport("/dev/ttyUSB9", DEFAULT_BAUD)
    assert caught.value.hint


class Broken:
    """A port of pyserial that fails as one that was unplugged does."""

    in_waiting = 0

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Callable[..., object]:
        def fail(*words: object) -> object:
            raise self.error

        return fail

    def __setattr__(self, name: str, value: object) -> None:
        if name != "error":
            raise self.error
        super().__setattr__(name, value)


@pytest.mark.parametrize(
    "error",
    [
        serial.SerialException("device reports readiness to read but returned no data"),
        OSError(errno.EIO, "Input/output error"),
        TypeError("'NoneType' object cannot be interpreted as an integer"),
        __import__("termios").error(5, "Input/output error"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_pyserial_raises_after_an_unplug_is_one_error(error: Exception) -> None:
    with bare_pty() as (_, path):
        transport = PortTransport(path, DEFAULT_BAUD)
        real, transport._port = transport._port, Broken(error)  # type: ignore[assignment]
        uses: list[Callable[[], object]] = [
            lambda: transport.read(1.0),
            lambda: transport.write(b"x"),
            lambda: transport.set_baud(9600),
            transport.send_break,
        ]
        for use in uses:
            with pytest.raises(DeviceDisconnected, match="was lost"):
                use()
        transport.close()
        real.close()


def test_a_rate_that_the_port_cannot_do() -> None:
    with bare_pty() as (_, path):
        transport = PortTransport(path, DEFAULT_BAUD)
        transport._port = Broken(ValueError("Invalid baud rate"))  # type: ignore[assignment]
        with pytest.raises(LinkError, match="12345 baud"):
            transport.set_baud(12345)


def test_closing_under_a_reader_does_not_kill_it() -> None:
    with bare_pty() as (_, path):
        transport = PortTransport(path, DEFAULT_BAUD)
        ends: list[BaseException | None] = []

        def read() -> None:
            try:
                while True:
                    transport.read(1.0)
            except BaseException as error:
                ends.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        time.sleep(0.02)
        transport.close()
        thread.join(10)

    assert [type(end) for end in ends] == [DeviceDisconnected]


def test_a_board_that_takes_nothing_ends_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.devices.board.transport.WRITE_SECONDS", 0.1)
    with bare_pty() as (_, path):
        transport = PortTransport(path, DEFAULT_BAUD)
        with pytest.raises(DeviceTimeout, match="took no data"):
            for _ in range(100):
                transport.write(bytes(10_000))
        transport.close()


# Boards at the other end.


def test_a_board_over_a_socket(model: Model) -> None:
    with (
        on_socket() as url,
        BoardDevice.open(PortTransport(url, DEFAULT_BAUD), url, Options()) as device,
    ):
        assert device.client.transport.baud == 3_000_000
        assert device.load(model).feed(PROMPT).ids.size == 24


def test_a_socket_that_is_closed() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        transport = PortTransport(f"socket://127.0.0.1:{server.getsockname()[1]}", DEFAULT_BAUD)
        there, _ = server.accept()
        there.close()
        with pytest.raises(DeviceDisconnected):
            while True:
                transport.read(1.0)
        transport.close()


def test_a_board_over_rfc2217(model: Model) -> None:
    with (
        on_pty() as path,
        rfc2217_server(path) as url,
        BoardDevice.open(PortTransport(url, DEFAULT_BAUD), url, Options(baud=500_000)) as device,
    ):
        assert device.client.transport.baud == 500_000
        assert device.load(model).feed(PROMPT).ids.size == 24


@contextmanager
def rfc2217_server(path: str) -> Iterator[str]:
    """A serial port on the network, by pyserial's own server side."""
    from serial.rfc2217 import PortManager

    class Connection:
        def __init__(self, there: socket.socket) -> None:
            self.write = there.sendall

    class Port(serial.Serial):
        """A pty has no modem lines to tell of."""

    for name in ("cts", "dsr", "ri", "cd", "dtr", "rts"):
        setattr(Port, name, False)

    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        there, _ = server.accept()
        there.settimeout(0.005)
        port = Port(path, timeout=0)
        manager = PortManager(cast(Any, port), cast(Any, Connection(there)))
        while not stop.is_set():
            data = port.read(4096)
            if data:
                there.sendall(b"".join(manager.escape(data)))
            with suppress(TimeoutError):
                data = there.recv(4096)
                port.write(b"".join(manager.filter(data)))
        port.close()
        there.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"rfc2217://127.0.0.1:{server.getsockname()[1]}"
    finally:
        stop.set()
        thread.join(10)
        server.close()


def test_the_rate_falls_back_on_a_cable_that_cannot_do_it(model: Model) -> None:
    with (
        on_pty(max_baud=1_000_000) as path,
        BoardDevice.open(PortTransport(path, DEFAULT_BAUD), "x", Options()) as device,
    ):
        assert device.client.transport.baud == 1_000_000
        assert device.load(model).feed(PROMPT).ids.size == 24


def test_a_cable_that_goes_bad_in_the_middle_slows_the_line_down(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sdk.devices.board.session.SIMULATED_PATIENCE", 0.3)
    engine, endpoint = IntegerEngine(KIND), PtyEndpoint()
    line = Line(endpoint, lambda: engine, pace=False)
    with (
        running(line, endpoint),
        BoardDevice.open(PortTransport(endpoint.url, DEFAULT_BAUD), "x", Options()) as device,
    ):
        session = device.load(model)
        session.feed(PROMPT)
        saved = session.snapshot()
        wanted = session.feed([3])
        session.restore(saved)
        assert device.client.transport.baud == 3_000_000
        line._max_baud = 1_000_000
        found = session.feed([3])
        assert device.client.transport.baud == 1_000_000
        assert session.position == len(PROMPT) + 1

    assert np.array_equal(found.logits, wanted.logits)


def test_a_host_that_died_leaves_a_board_that_answers(model: Model) -> None:
    with on_pty() as path:
        first = BoardDevice.open(PortTransport(path, DEFAULT_BAUD), "x", Options())
        first.client.transport.close()  # without telling the board
        with BoardDevice.open(PortTransport(path, DEFAULT_BAUD), "x", Options()) as second:
            assert second.load(model).feed(PROMPT).ids.size == 24
