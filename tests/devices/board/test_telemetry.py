from __future__ import annotations

import threading

import pytest

from edge_sdk.devices.board import ina
from edge_sdk.devices.board.device import BoardDevice
from edge_sdk.devices.board.options import Options
from edge_sdk.devices.virtual.direct import DirectTransport
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.model_file import Model
from edge_sdk.telemetry import Provenance
from tests.devices.board.boards import KIND, PROMPT

INA226 = {0x00: 0x4127, 0x01: 0x0190, 0x02: 0x0FA0, 0xFE: 0x5449}
"""400 steps of 2.5 µV over the shunt, 4000 of 1.25 mV on the bus: 1 mV and 5 V."""
INA219 = {0x00: 0x399F, 0x01: 0x0FA0, 0x02: 0x2712, 0xFE: 0x399F}
"""4000 steps of 10 µV over the shunt, 1250 of 4 mV on the bus (the low bits are flags)."""


class Bus:
    """I2C chips: address to register to value."""

    def __init__(self, chips: dict[int, dict[int, int]]) -> None:
        self.chips = chips

    def __call__(self, address: int, data: bytes, reads: int) -> bytes | None:
        chip = self.chips.get(address)
        return None if chip is None else chip.get(data[0], 0).to_bytes(2, "big")[:reads]


def board(chips: dict[int, dict[int, int]], shunt: float | None = None) -> BoardDevice:
    engine = IntegerEngine(KIND, i2c=Bus(chips))
    transport = DirectTransport(engine, "direct", pace=False)
    return BoardDevice.open(transport, "sim:x", Options(shunt_ohms=shunt))


@pytest.mark.parametrize(
    ("chip", "shunt", "watts", "name"),
    [
        (INA226, 0.002, 5.0 * 0.5, "INA226 at 0x44"),
        (INA219, 0.1, 5.0 * 0.4, "INA219 at 0x44"),
        (INA219 | {0x01: 0xFC18}, 0.1, -5.0 * 0.1, "INA219 at 0x44"),
    ],
)
def test_a_monitor_chip_gives_watts(
    chip: dict[int, int], shunt: float, watts: float, name: str
) -> None:
    with board({0x44: chip}, shunt) as device:
        reading = device.telemetry()["power"]

    assert reading.value == pytest.approx(watts)
    assert reading.provenance == Provenance.DERIVED
    assert name in reading.source
    assert reading.scope == "rail"


@pytest.mark.parametrize(
    ("chips", "shunt", "reason"),
    [
        ({}, 0.1, "no power monitor answers"),
        ({0x40: INA226}, None, "shunt is not known"),
        ({0x48: {0: 0x1234}}, 0.1, "only an unknown chip at 0x48 answers"),
    ],
)
def test_without_a_figure_there_is_a_reason(
    chips: dict[int, dict[int, int]], shunt: float | None, reason: str
) -> None:
    with board(chips, shunt) as device:
        reading = device.telemetry()["power"]

    assert reading.value is None
    assert reading.provenance == Provenance.UNAVAILABLE
    assert reason in (reading.reason or "")
    assert reading.remedy


def test_a_chip_that_is_unplugged_while_it_is_read() -> None:
    chips = {0x40: INA226}
    with board(chips, 0.1) as device:
        assert device.telemetry()["power"].available
        chips.clear()
        assert "stopped answering" in (device.telemetry()["power"].reason or "")


def test_registers_are_read_as_the_chip_sends_them() -> None:
    seen: list[tuple[int, int]] = []

    def read(address: int, register: int) -> int | None:
        seen.append((address, register))
        return None

    assert ina.find(read) is None
    assert seen == [(address, 0) for address in range(0x40, 0x50)]


def test_counters_become_shares_between_two_looks(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sdk.devices.board.telemetry.SPAN_SECONDS", 0.0)
    with board({}) as device:
        assert device.telemetry().readings["utilisation"].value is None
        session = device.load(model)
        for _ in range(20):
            session.feed(PROMPT)
        readings = device.telemetry().readings

    busy = readings["utilisation"]
    assert busy.value is not None
    assert 0 < busy.value <= 100
    assert busy.provenance == Provenance.DERIVED
    # The integer model has no memory that stalls, and must not look perfect.
    assert readings["stream_efficiency"].value is None
    assert "does not count" in (readings["stream_efficiency"].reason or "")
    assert readings["link_errors"].value == 0
    assert readings["device_memory"].value == session.image_bytes


def test_two_looks_in_a_row_are_one(model: Model) -> None:
    with board({}) as device:
        device.telemetry()
        device.load(model).feed(PROMPT)
        again = device.telemetry().readings["utilisation"]

    assert again.reason == "the counters were read for the first time, or too long ago"


def test_a_busy_board_is_not_waited_for(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.devices.board.telemetry.WAIT_SECONDS", 0.01)
    with board({}) as device:
        held, done = threading.Event(), threading.Event()

        def upload() -> None:
            with device.client.lock:
                held.set()
                done.wait(10)

        thread = threading.Thread(target=upload)
        thread.start()
        held.wait(10)
        reading = device.telemetry()["power"]
        done.set()
        thread.join()
        assert "busy" in (reading.reason or "")
        assert "no power monitor" in (device.telemetry()["power"].reason or "")


def test_telemetry_while_tokens_are_fed(model: Model) -> None:
    with board({}) as device:
        session = device.load(model)
        stop = threading.Event()
        errors: list[BaseException] = []

        def poll() -> None:
            try:
                while not stop.is_set():
                    device.telemetry()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=poll)
        thread.start()
        for index in range(100):
            session.feed([index % 40])
        stop.set()
        thread.join()

    assert errors == []
    assert session.position == 100
