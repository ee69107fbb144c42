"""The I2C master against a slave that watches the wires, clock by clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edge_sdk.firmware_images.contract import wire
from edge_sdk.firmware_images.contract.wire import Code, Type
from tests.firmware_images.gateware.board import Bench, CoreState, Host, Process, run

ADDRESS = 0x45


@dataclass
class Slave:
    """A register file on an open-drain bus, and what it saw."""

    answers: bytes = b"\xa5\x3c\x01"
    stretch: int = 0
    """Clocks for which it holds SCL low after each bit; negative: for ever."""
    refuses_data: bool = False
    seen: list[str] = field(default_factory=list)
    """"S", "P", bytes in hex; with "n" if the master did not acknowledge."""

    def process(self, bench: Bench) -> list[Process]:
        async def bus(ctx: Any) -> None:
            link = bench.link
            old_scl = old_sda = 1
            bit, byte, reading, sent = 9, 0, False, 0
            selected = active = False
            sda_low, held = 0, 0
            while True:
                await ctx.tick()
                scl = int(not ctx.get(link.scl_low) and held == 0)
                sda = int(not ctx.get(link.sda_low) and not sda_low)
                ctx.set(link.scl, scl)
                ctx.set(link.sda, sda)
                held = held - 1 if held > 0 else held
                if scl and old_scl and sda != old_sda:
                    self.seen.append("P" if sda else "S")
                    active, bit, byte, reading, sda_low = not sda, 0, 0, False, 0
                    selected = False
                elif active and scl and not old_scl:  # the bit is valid
                    if bit < 8:
                        byte = byte << 1 & 0xFF | sda
                    elif reading:
                        self.seen.append(f"{byte:02x}" + "n" * sda)
                        active = not sda
                    bit += 1
                elif active and old_scl and not scl:
                    held = self.stretch
                    if bit == 8 and not reading:
                        first = not selected
                        selected = selected or byte >> 1 == ADDRESS
                        self.seen.append(f"{byte:02x}")
                        sda_low = int(selected and (first or not self.refuses_data))
                        if first:
                            starts_reading = bool(byte & 1) and selected
                    elif bit == 8:
                        sda_low = 0
                    elif bit == 9:
                        bit, byte = 0, 0
                        if not reading and starts_reading:
                            reading, sent = True, 0
                        sda_low = 0
                        if reading:
                            answer = self.answers[sent % len(self.answers)]
                            sent += 1
                            sda_low = 1 - (answer >> 7)
                    elif reading:
                        sda_low = 1 - (answer >> (7 - bit) & 1)
                old_scl, old_sda = scl, sda

        return [bus]


def request(address: int, data: bytes = b"", reads: int = 0) -> bytes:
    return wire.REQUESTS[Type.I2C].pack(address, len(data), reads) + data


def test_a_register_is_read_with_a_repeated_start() -> None:
    slave = Slave()

    async def script(host: Host, core: CoreState) -> None:
        assert await host.good(Type.I2C, request(ADDRESS, b"\x02", 2)) == b"\xa5\x3c"
        assert slave.seen == ["S", "8a", "02", "S", "8b", "a5", "3cn", "P"]
        slave.seen.clear()
        assert await host.good(Type.I2C, request(ADDRESS, b"", 3)) == b"\xa5\x3c\x01"
        assert slave.seen == ["S", "8b", "a5", "3c", "01n", "P"]

    run(script, processes=slave.process)


def test_bytes_are_written_and_a_device_is_probed() -> None:
    slave = Slave()

    async def script(host: Host, core: CoreState) -> None:
        assert await host.good(Type.I2C, request(ADDRESS, b"\x05\x80\x00\xff")) == b""
        assert slave.seen == ["S", "8a", "05", "80", "00", "ff", "P"]
        slave.seen.clear()
        assert await host.good(Type.I2C, request(ADDRESS)) == b""
        assert slave.seen == ["S", "8a", "P"]

    run(script, processes=slave.process)


def test_nobody_there_and_nobody_listening() -> None:
    slave = Slave(refuses_data=True)

    async def script(host: Host, core: CoreState) -> None:
        assert await host.refused(Type.I2C, request(0x20, b"\1", 1)) == (Code.NO_DEVICE, 0)
        assert slave.seen == ["S", "40", "P"]
        assert await host.refused(Type.I2C, request(ADDRESS, b"\1\2")) == (Code.NO_DEVICE, 0)
        assert slave.seen[3:] == ["S", "8a", "01", "P"]

    run(script, processes=slave.process)


def test_a_slave_may_stretch_the_clock_but_not_for_ever() -> None:
    slave = Slave(stretch=150)

    async def script(host: Host, core: CoreState) -> None:
        assert await host.good(Type.I2C, request(ADDRESS, b"\x11", 1)) == b"\xa5"
        slave.stretch = -1
        assert await host.refused(Type.I2C, request(ADDRESS, b"\x11")) == (Code.NO_DEVICE, 0)
        await host.good(Type.HELLO)

    run(script, processes=slave.process)


def test_arguments_have_limits() -> None:
    async def script(host: Host, core: CoreState) -> None:
        assert await host.refused(Type.I2C, request(0x80)) == (Code.BAD_ARGUMENT, 0)
        assert await host.refused(Type.I2C, request(1, bytes(17))) == (Code.BAD_ARGUMENT, 0)
        assert await host.refused(Type.I2C, request(1, b"", 17)) == (Code.BAD_ARGUMENT, 0)
        assert await host.refused(Type.I2C, request(1, b"\1\2")[:-1]) == (Code.BAD_LENGTH, 0)

    run(script)
