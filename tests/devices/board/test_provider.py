from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from edge_sdk.devices.board import ports as ports_module
from edge_sdk.devices.board.ports import PORTS_VARIABLE, Port, find_port, list_ports
from edge_sdk.devices.board.provider import RFC2217, SERIAL, SOCKET
from edge_sdk.devices.board.transport import PortTransport
from edge_sdk.devices.virtual.simulator import SIM
from edge_sdk.errors import (
    DeviceBusy,
    DeviceNotFound,
    DeviceTimeout,
    EdgeError,
    UsageError,
)
from edge_sdk.firmware_images.contract.wire import DEFAULT_BAUD
from edge_sdk.model_file import Model
from edge_sdk.registry import open_device
from edge_sdk.uri import DeviceURI
from tests.devices.board.boards import PROMPT, bare_pty, on_pty, on_socket

needs_pty = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")


class Listed:
    """A port as pyserial lists it."""

    def __init__(self, device: str, vid: int | None, serial: str | None = None) -> None:
        self.device, self.vid, self.serial_number = device, vid, serial
        self.product, self.description = "ULX3S FPGA 85K v3.0.8", "n/a"

    def __lt__(self, other: Listed) -> bool:
        return self.device < other.device


@pytest.fixture(autouse=True)
def no_real_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch)


def plug(monkeypatch: pytest.MonkeyPatch, *ports: Listed, others: tuple[str, ...] = ()) -> None:
    """Exactly these ports are there."""
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: list(ports))
    monkeypatch.setenv(PORTS_VARIABLE, os.pathsep.join(others))


@pytest.fixture
def two_boards() -> Iterator[tuple[str, str]]:
    with ExitStack() as stack:
        first = stack.enter_context(on_pty())
        second = stack.enter_context(on_pty())
        yield first, second


def test_ports_without_usb_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, Listed("/dev/ttyS0", None), Listed("/dev/ttyUSB0", 0x403, "D001"))
    (port,) = list_ports()
    assert (port.uri, port.title) == ("serial:id=D001", "ULX3S FPGA 85K v3.0.8")
    assert find_port("D001").path == "/dev/ttyUSB0"
    with pytest.raises(DeviceNotFound, match="'X'; those plugged in: D001"):
        find_port("X")


def test_a_port_is_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, Listed("/dev/ttyUSB0", 0x403, "D"), others=("/dev/ttyUSB0", "/dev/x"))
    assert [port.uri for port in list_ports()] == ["serial:id=D", "serial:/dev/x"]


def test_a_system_that_cannot_list_ports_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ImportError("no back end")

    monkeypatch.setattr("serial.tools.list_ports.comports", fail)
    assert list_ports() == []
    assert Port("/dev/x", "x", None).uri == "serial:/dev/x"
    assert ports_module.PORTS_VARIABLE == "EDGE_SERIAL_PORTS"


def test_without_a_port_the_list_says_so() -> None:
    (info,) = SERIAL.discover()
    assert (info.uri, info.usable) == ("serial:auto", False)
    assert info.reason == "no USB serial port was found"
    assert "sim:ulx3s-85f" in (info.remedy or "")
    with pytest.raises(DeviceNotFound, match="no board was found"):
        open_device("serial:auto")


@needs_pty
def test_auto_finds_the_board_among_other_ports(
    two_boards: tuple[str, str], monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    with bare_pty() as (_, silent):
        plug(monkeypatch, Listed(silent, 0x403, "S"), others=("/dev/no-such-port", *two_boards))
        with open_device("serial:auto") as device:
            assert device.info.uri == f"serial:{two_boards[0]}"
            assert device.load(model).feed(PROMPT).ids.size == 24
            with open_device("serial:auto?candidates=3") as second:
                # The first is in use, so it is the other one.
                assert second.info.uri == f"serial:{two_boards[1]}?candidates=3"
                assert second.load(model).feed(PROMPT).ids.size == 3


@needs_pty
def test_the_list_tells_what_each_port_is(
    two_boards: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with bare_pty() as (_, silent):
        plug(monkeypatch, Listed(silent, 0x403, "S"), others=("/dev/no-such-port", *two_boards))
        held = PortTransport(two_boards[1], DEFAULT_BAUD)
        found = {info.uri: info for info in SERIAL.discover()}
        held.close()

    good = found[f"serial:{two_boards[0]}"]
    assert (good.usable, good.kind, good.memory) == (True, "simulator", 32 << 20)
    assert good.details["features"] == "simulated, integer model"
    busy = found[f"serial:{two_boards[1]}"]
    assert not busy.usable
    assert "in use" in (busy.reason or "")
    nothing = found["serial:id=S"]
    assert nothing.reason == "no board of ours answers there"
    assert "edge-sdk flash" in (nothing.remedy or "")
    assert "could not be opened" in (found["serial:/dev/no-such-port"].reason or "")
    assert all(info.usable or info.remedy for info in found.values())


@needs_pty
def test_a_board_by_its_usb_serial_number(
    two_boards: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plug(monkeypatch, Listed(two_boards[1], 0x403, "D002"))
    with open_device("serial:id=D002") as device:
        assert device.info.uri == "serial:id=D002"
        with pytest.raises(DeviceBusy):
            open_device(f"serial:{two_boards[1]}")
    with open_device(f"serial://{two_boards[1]}?baud=1000000") as device:
        assert device.info.details["baud"] == "1000000"


@needs_pty
def test_a_port_at_which_no_board_answers() -> None:
    with bare_pty() as (_, silent), pytest.raises(DeviceTimeout, match="no board answered HELLO"):
        open_device(f"serial:{silent}")


def test_a_board_behind_a_socket(model: Model) -> None:
    with on_socket() as url, open_device(url) as device:
        assert device.info.uri == url
        assert device.load(model).feed(PROMPT).ids.size == 24
    assert SOCKET.discover() == RFC2217.discover() == []


@pytest.mark.parametrize(
    "uri",
    [
        "serial",
        "serial:",
        "serial:/dev/x?baud=fast",
        "serial:/dev/x?baud=12",
        "serial:/dev/x?candidates=0",
        "serial:/dev/x?candidates=65",
        "serial:/dev/x?shunt=none",
        "serial:/dev/x?shunt=-1",
        "serial:/dev/x?speed=9",
        "serial:/dev/x?engine=rtl",
        "socket://host",
        "socket:4000",
        "socket://host:0",
        "socket://host:99999",
        "rfc2217://host:x",
        "sim:ulx3s-85f?engine=fast",
        "sim:ulx3s-85f?pace=2",
        "sim:ulx3s-85f?colour=red",
    ],
)
def test_what_a_uri_gets_wrong_is_told(uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_device(uri)
    assert caught.value.hint


def test_a_simulated_board_in_this_process(model: Model) -> None:
    with open_device("sim:ulx3s-85f?pace=0") as device:
        assert device.info.kind == "simulator"
        assert device.info.details["features"] == "simulated, integer model"
        assert device.load(model).feed(PROMPT).ids.size == 24
    with pytest.raises(DeviceNotFound, match="'icebreaker'"):
        open_device("sim:icebreaker")


def test_simulated_boards_are_listed_and_can_be_opened() -> None:
    for info in SIM.discover():
        assert (info.kind, info.usable) == ("simulator", True)
        with SIM.open(DeviceURI.parse(info.uri)) as device:
            assert device.info.memory == info.memory


def test_every_error_of_opening_has_a_remedy() -> None:
    for uri in ("serial:/dev/no-such-port", "serial:id=none", "socket://127.0.0.1:1"):
        with pytest.raises(EdgeError) as caught:
            open_device(uri)
        assert caught.value.hint
