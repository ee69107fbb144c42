"""The serial port at the level of its pins, 25 clocks a bit: 3 Mbaud at 75 MHz."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from edge_sdk.firmware_images.contract.wire import RECEIVE_BUFFER
from edge_sdk.firmware_images.gateware.link.byte_queue import ByteQueue
from edge_sdk.firmware_images.gateware.link.serial_port import SerialPort

DIVISOR = 25


class Line:
    """The other end of a serial line."""

    def __init__(self, ctx: Any, port: SerialPort, divisor: float = DIVISOR) -> None:
        self.ctx, self.port, self.divisor = ctx, port, divisor
        self._owed = 0.0

    async def level(self, value: int, bits: float = 1) -> None:
        """The receive pin for so many bits; fractions of a clock are carried over."""
        self.ctx.set(self.port.rx, value)
        self._owed += bits * self.divisor
        await self.ctx.tick().repeat(int(self._owed))
        self._owed -= int(self._owed)

    async def send(self, data: bytes) -> None:
        """Bytes without a pause between them."""
        for byte in data:
            await self.level(0)
            for i in range(8):
                await self.level(byte >> i & 1)
            await self.level(1)

    async def receive(self) -> tuple[int, int]:
        """The next byte and its stop bit, sampled in the middle."""
        while self.ctx.get(self.port.tx):
            await self.ctx.tick()
        await self.ctx.tick().repeat(int(self.divisor / 2))
        assert self.ctx.get(self.port.tx) == 0
        bits = []
        for _ in range(9):
            await self.ctx.tick().repeat(int(self.divisor))
            bits.append(self.ctx.get(self.port.tx))
        return sum(bit << i for i, bit in enumerate(bits[:8])), bits[8]


def run(port: Any, *benches: Callable[[Any], Any]) -> None:
    simulator = Simulator(port)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


async def taken(ctx: Any, port: SerialPort) -> int:
    """One byte of the received stream."""
    ctx.set(port.received.ready, 1)
    payload, *_ = await ctx.tick().sample(port.received.payload).until(port.received.valid)
    ctx.set(port.received.ready, 0)
    return int(payload)


@pytest.mark.parametrize("off", [1.0, 1.03, 0.97])
def test_bytes_are_received_also_when_the_rates_differ_by_three_percent(off: float) -> None:
    port = SerialPort(DIVISOR)
    data = bytes([0, 255, 0x55, 0xAA, 1, 0x80])

    async def far(ctx: Any) -> None:
        line = Line(ctx, port, DIVISOR * off)
        await line.level(1, 3)
        await line.send(data)

    async def near(ctx: Any) -> None:
        assert bytes([await taken(ctx, port) for _ in data]) == data

    run(port, far, near)


def test_bytes_are_sent_and_idle_says_when_the_last_has_gone() -> None:
    port = SerialPort(DIVISOR)
    data = bytes([0, 255, 0x55, 0x80])

    async def near(ctx: Any) -> None:
        for byte in data:
            ctx.set(port.sent.payload, byte)
            ctx.set(port.sent.valid, 1)
            await ctx.tick().until(port.sent.ready)
        ctx.set(port.sent.valid, 0)
        assert not ctx.get(port.idle)
        cycles = 0
        while not ctx.get(port.idle):
            await ctx.tick()
            cycles += 1
        assert abs(cycles - len(data) * 10 * DIVISOR) < 20
        assert ctx.get(port.tx)

    async def far(ctx: Any) -> None:
        ctx.set(port.rx, 1)
        line = Line(ctx, port)
        assert [await line.receive() for _ in data] == [(byte, 1) for byte in data]

    run(port, near, far)


def test_noise_and_bytes_without_a_stop_bit_are_dropped() -> None:
    port = SerialPort(DIVISOR)

    async def far(ctx: Any) -> None:
        line = Line(ctx, port)
        await line.level(1, 2)
        await line.level(0, 0.2)
        await line.level(1, 2)
        await line.level(0, 10)  # a zero byte with a low stop bit
        await line.level(1, 12)
        await line.send(b"\x42")

    async def near(ctx: Any) -> None:
        assert await taken(ctx, port) == 0x42

    run(port, far, near)


def test_a_new_rate_and_a_break_that_undoes_it() -> None:
    port = SerialPort(DIVISOR, break_cycles=512)

    async def far(ctx: Any) -> None:
        line = Line(ctx, port)
        await line.level(1, 2)
        ctx.set(port.divisor, 10)
        ctx.set(port.set_divisor, 1)
        await ctx.tick()
        ctx.set(port.set_divisor, 0)
        line.divisor = 10
        await line.send(b"\x12\x34")
        await line.level(0, 40)  # shorter than a break
        await line.level(1, 20)
        await line.send(b"\x56")
        await line.level(0, 60)
        await line.level(1, 20)
        line.divisor = DIVISOR
        await line.send(b"\x78")

    async def near(ctx: Any) -> None:
        assert [await taken(ctx, port) for _ in range(4)] == [0x12, 0x34, 0x56, 0x78]

    run(port, far, near)


def test_what_finds_the_buffer_full_is_lost_and_nothing_else() -> None:
    port = SerialPort(4)
    data = random.Random(2).randbytes(RECEIVE_BUFFER + 3)

    async def far(ctx: Any) -> None:
        line = Line(ctx, port, 4)
        await line.level(1, 2)
        await line.send(data)
        got = [await taken(ctx, port) for _ in range(RECEIVE_BUFFER)]
        assert bytes(got) == data[:RECEIVE_BUFFER]
        assert not ctx.get(port.received.valid)

    run(port, far)


def test_a_queue_keeps_the_order_whoever_is_faster() -> None:
    queue = ByteQueue(8)
    source = random.Random(4)
    data = source.randbytes(300)

    async def writer(ctx: Any) -> None:
        for i, byte in enumerate(data):
            await ctx.tick().repeat(source.randrange(1, 5) if i < 150 else 1)
            ctx.set(queue.input.payload, byte)
            ctx.set(queue.input.valid, 1)
            await ctx.tick().until(queue.input.ready)
            ctx.set(queue.input.valid, 0)

    async def reader(ctx: Any) -> None:
        for i, byte in enumerate(data):
            await ctx.tick().repeat(source.randrange(1, 9) if i > 150 else 1)
            ctx.set(queue.output.ready, 1)
            got, *_ = await ctx.tick().sample(queue.output.payload).until(queue.output.valid)
            ctx.set(queue.output.ready, 0)
            assert got == byte, i
        await ctx.tick().repeat(2)
        assert ctx.get(queue.empty)

    top = Module()
    top.submodules.queue = queue
    run(top, writer, reader)
