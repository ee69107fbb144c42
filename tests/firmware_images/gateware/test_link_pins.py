"""The link behind its serial port, at the level of pins: 25 clocks a bit, requests in a row."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from edge_sdk.firmware_images.contract import wire
from edge_sdk.firmware_images.contract.wire import Code, Type
from edge_sdk.firmware_images.gateware.link.serial_port import SerialPort
from tests.firmware_images.gateware.board import Bench, frame, unframe
from tests.firmware_images.gateware.test_serial_port import DIVISOR, Line


class Pins(wiring.Component):
    """The bench of the other tests, with a serial port in front."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.port = SerialPort(DIVISOR)
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.bench = self.bench
        m.submodules.port = port = self.port
        link = self.bench.link
        wiring.connect(m, port.received, link.received)
        wiring.connect(m, link.sent, port.sent)
        m.d.comb += [
            port.divisor.eq(link.divisor),
            port.set_divisor.eq(link.set_divisor),
            self.bench.idle.eq(port.idle),
        ]
        return m


def test_requests_in_a_row_are_all_answered_and_the_rate_changes_after_the_reply() -> None:
    top = Pins()
    requests = [
        frame(Type.SEEK, 0, bytes(4)),
        b"\x33\0",  # damaged
        frame(Type.EXECUTE, 1, b""),
        frame(Type.SET_BAUD, 2, b"\x0a\0"),
    ]
    replies: list[tuple[int, int, bytes]] = []

    async def host(ctx: Any) -> None:
        line = Line(ctx, top.port)
        await line.level(1, 3)
        await line.send(b"\0\0" + b"".join(requests))
        while len(replies) < 3:
            await ctx.tick().repeat(100)
        await ctx.tick().repeat(DIVISOR * 10)
        line.divisor = 10
        await line.send(frame(Type.RESET, 3))

    async def board(ctx: Any) -> None:
        line = Line(ctx, top.port)
        encoded = b""
        await ctx.tick()
        while len(replies) < 4:
            byte, stop = await line.receive()
            assert stop == 1
            if byte:
                encoded += bytes([byte])
            else:
                replies.append(unframe(encoded))
                encoded = b""
            line.divisor = 10 if len(replies) == 3 else DIVISOR
            await ctx.tick().repeat(4)  # into the second half of the stop bit

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.add_testbench(board)
    simulator.run()
    refused = [wire.REFUSAL.unpack(data)[:2] for kind, _, data in replies if kind == wire.ERROR]
    assert refused == [
        (Type.SEEK, Code.NO_MODEL),
        (Type.EXECUTE, Code.BAD_LENGTH),
        (Type.RESET, Code.NO_MODEL),
    ]
    assert [reply[:2] for reply in replies] == [
        (wire.ERROR, 0),
        (wire.ERROR, 1),
        (Type.SET_BAUD | wire.REPLY, 2),
        (wire.ERROR, 3),
    ]
