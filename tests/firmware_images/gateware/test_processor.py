"""The link's processor: every operation against Python, and the assembler's labels and tables."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.sim import Simulator

from edge_sdk.firmware_images.gateware.link.assembler import NEXT, Assembler, Label
from edge_sdk.firmware_images.gateware.link.bus import Input, Output
from edge_sdk.firmware_images.gateware.link.processor import Processor

OUT = Output.WORD


class Machine(wiring.Component):
    """A processor with RAM; ports are the test's."""

    def __init__(self, code: Assembler) -> None:
        self.contents = [*code.ram(), 0, 0]
        self.processor = Processor(code.program(), (len(self.contents) - 1).bit_length())
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.processor = cpu = self.processor
        m.submodules.ram = ram = memory.Memory(
            shape=16, depth=len(self.contents), init=self.contents
        )
        read, write = ram.read_port(), ram.write_port()
        m.d.comb += [
            read.addr.eq(cpu.ram_address),
            cpu.ram_data.eq(read.data),
            write.addr.eq(cpu.ram_address),
            write.data.eq(cpu.bus.data),
            write.en.eq(cpu.ram_write),
        ]
        return m


def outputs(
    write: Callable[[Assembler], None],
    count: int,
    inputs: Mapping[Input, int] | None = None,
    wait: int = 0,
) -> list[int]:
    """The first `count` values that the program puts out; every port makes it wait."""
    code = Assembler(free=4)
    write(code)
    code.label("end")
    code.jump("end")
    machine = Machine(code)
    bus = machine.processor.bus
    seen: list[int] = []

    async def bench(ctx: Any) -> None:
        waited = 0
        for _ in range(6000):
            active = ctx.get(bus.write) or ctx.get(bus.read)
            ctx.set(bus.value, (inputs or {}).get(ctx.get(bus.port), 0))
            ctx.set(bus.wait, int(bool(active) and waited < wait))
            if ctx.get(bus.write) and not ctx.get(bus.wait):
                seen.append(ctx.get(bus.data))
            waited = waited + 1 if ctx.get(bus.wait) else 0
            if len(seen) == count:
                return
            await ctx.tick()

    simulator = Simulator(machine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


def test_arithmetic_and_the_carry() -> None:
    source = random.Random(6)
    pairs = [(source.randrange(1 << 32), source.randrange(1 << 32)) for _ in range(6)]
    pairs += [(5, 5), (0, 1), (0xFFFFFFFF, 1)]
    expected: list[int] = []

    def write(c: Assembler) -> None:
        for one, other in pairs:
            a = c.table([one & 0xFFFF, one >> 16])
            b = c.table([other & 0xFFFF, other >> 16])
            for wide, step in ((one + other, c.add), (one - other, c.subtract)):
                c.load(a)
                step(b)
                c.store(OUT)
                c.load(a[1])
                step(b[1], carry=True)
                c.store(OUT)
                c.load(1)
                c.if_carry(yes := c.new_label("carry"))
                c.load(0)
                c.label(yes)
                c.store(OUT)
                carry = wide >> 32 == 1 if step == c.add else wide >= 0
                expected.extend([wide & 0xFFFF, wide >> 16 & 0xFFFF, int(carry)])

    assert outputs(write, 6 * len(pairs)) == expected


def test_the_other_functions() -> None:
    def write(c: Assembler) -> None:
        word = c.table([0x1235])
        c.swap(word)
        c.store(OUT)
        c.mask(0xF0F)
        c.store(OUT)
        c.halve(word)
        c.store(OUT)
        c.if_carry("odd")
        c.put(1, OUT)
        c.label("odd")
        c.halve(0x46)
        c.if_no_carry("even")
        c.put(2, OUT)
        c.label("even")
        c.put(0xABCD, OUT)
        c.put(0xABCD, OUT)

    assert outputs(write, 5) == [0x3512, 0x0502, 0x091A, 0xABCD, 0xABCD]


def test_the_pointer_walks_through_ram() -> None:
    def write(c: Assembler) -> None:
        source = c.table([7, 8, 9])
        target = c.words(3)
        c.point(source.address)
        c.put(NEXT, OUT)
        c.put(NEXT, OUT)
        c.point(target.address)
        c.put(0x77, NEXT, NEXT)
        c.put(source[2], NEXT)
        for i in range(3):
            c.put(target[i], OUT)

    assert outputs(write, 5) == [7, 8, 0x77, 0x77, 9]


def test_jumps_calls_and_tables_of_labels() -> None:
    def write(c: Assembler) -> None:
        table = c.table([Label("first"), Label("second")])
        c.call("sub")
        c.call("sub")
        c.load(0)
        c.if_nonzero("wrong")
        c.if_zero("right")
        c.label("wrong")
        c.put(0xBAD, OUT)
        c.label("right")
        c.jump_to(table[1])
        c.label("first")
        c.put(0xBAD, OUT)
        back = c.subroutine("sub")
        c.put(5, OUT)
        c.jump_to(back)
        c.label("second")
        c.put(6, OUT)

    assert outputs(write, 3) == [5, 5, 6]


@pytest.mark.parametrize("wait", [0, 1, 5])
def test_ports_are_read_once_they_no_longer_wait(wait: int) -> None:
    def write(c: Assembler) -> None:
        c.load(Input.CRC_LOW)
        c.add(Input.CRC_HIGH)
        c.store(OUT)
        c.store(Output.TASK)

    values = {Input.CRC_LOW: 0x1200, Input.CRC_HIGH: 0x34}
    assert outputs(write, 2, values, wait) == [0x1234, 0x1234]


def test_a_label_that_stands_twice_is_refused() -> None:
    code = Assembler(free=0)
    code.label("here")
    with pytest.raises(ValueError, match="twice"):
        code.label("here")
