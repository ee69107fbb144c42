"""A small 16-bit machine that runs the core: one accumulator, 32 registers, one step a cycle.

It knows the steps of control.STEP; what they are for is written in microcode. It does not know
instructions or vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from edge_sdk.firmware_images.gateware.core.adder import add_carry
from edge_sdk.firmware_images.gateware.core.choice import choose
from edge_sdk.firmware_images.gateware.core.control import (
    STEP,
    STEPS,
    Alu,
    Event,
    Flow,
    Inlet,
    Outlet,
    Source,
)

OPERAND_BASE = 12
"""The registers that Source.OPERAND picks one of."""


class Sequencer(wiring.Component):
    """Runs `program` from its first step on; `restart` begins again there.

    A step is fetched, then reads its source (and waits), then computes, writes and jumps: a jump
    that is taken costs two cycles more. `taken` is high in the cycle in which a step reads
    Inlet.MEMORY. What a step writes to an outlet leaves it a cycle later: `put` is high while `bus`
    is for the outlet `port`. So an inlet shows what came of it to the third step after it; the
    product, which is made in here, to the second.
    """

    def __init__(self, program: Sequence[int]) -> None:
        if len(program) > STEPS:
            raise ValueError(f"a program of {len(program)} steps does not fit {STEPS}")
        self.program = program
        super().__init__(
            {
                "restart": In(1),
                "events": In(len(Event)),
                "inlets": In(data.ArrayLayout(16, len(Inlet))),
                "rams": In(data.ArrayLayout(2, 3)),
                "port": Out(5),
                "taken": Out(1),
                "put": Out(1),
                "bus": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Three stages; the accumulator is used in the last alone."""
        self._m = m = Module()
        self._a, self._carry = Signal(16), Signal()
        self._quotient = Signal(16)
        self._step = step = Signal(STEP)  # the step that computes
        self._live = live = Signal()
        self._jump, self._put = Signal(), Signal()
        self._result = Signal(16)
        m.d.sync += [
            self.put.eq(self._put & ~self.restart),
            self.port.eq(step.port),
            self.bus.eq(self._result),
        ]
        # In the order of Condition.
        conditions = [Const(1, 1), self._a == 0, self._carry, self._a[15]]
        m.d.comb += [
            self._jump.eq(
                live & step.flow[1] & (choose(step.condition, conditions) ^ step.flow[0])
            ),
            self._put.eq(live & step.out),
        ]
        fetched, valid = self._fetch()
        source = self._read(fetched, valid)
        self._compute(source)
        return m

    def _fetch(self) -> tuple[data.View, Value]:
        """The step that reads its source, and whether it does so in this cycle."""
        m = self._m
        size = 1 << ceil_log2(len(self.program))
        m.submodules.steps = rom = Memory(shape=STEP.size, depth=size, init=self.program)
        port = rom.read_port()
        step = Signal(STEP)
        known, live, wait = Signal(), Signal(), Signal()
        following, address = Signal(range(size)), Signal(range(size))
        target = self._step.target
        m.d.comb += [
            wait.eq(live & (step.flow == Flow.WAIT) & ~choose(step.condition, list(self.events))),
            address.eq(
                Mux(
                    self._jump,
                    Cat(Mux(self._step.indexed, self._a[:5], target[:5]), target[5:]),
                    following,
                )
            ),
            port.addr.eq(address),
            port.en.eq(~wait | self._jump),
        ]
        with m.If(port.en):
            m.d.sync += [following.eq(address + 1), known.eq(1), step.eq(port.data)]
            m.d.sync += live.eq(known & ~self._jump)
        with m.If(self.restart):
            m.d.sync += [following.eq(0), known.eq(0), live.eq(0)]
        return step, live & ~wait & ~self._jump & ~self.restart

    def _read(self, step: data.View, valid: Value) -> Value:
        """The source of the step that computes next, with what the one before it writes."""
        m, computing = self._m, self._step
        m.submodules.registers = registers = Memory(shape=16, depth=32, init=[])
        read, write = registers.read_port(domain="comb"), registers.write_port()
        factors = [Signal(16, reset_less=True, name=name) for name in ("factor", "multiplier")]
        for outlet, factor in zip((Outlet.FACTOR, Outlet.MULTIPLY), factors, strict=True):
            with m.If(self._put & (computing.port == outlet)):
                m.d.sync += factor.eq(self._result)
        product = Signal(32)
        m.d.comb += product.eq(factors[0] * factors[1])
        inlets = [self.inlets[index] for index in range(len(Inlet))]
        inlets[Inlet.QUOTIENT] = self._quotient
        operand = Cat(choose(step["from"][:2], list(self.rams)), Const(OPERAND_BASE >> 2, 3))
        source, forward = Signal(16, reset_less=True), Signal()
        m.d.comb += [
            read.addr.eq(Mux(step.source == Source.OPERAND, operand, step["from"])),
            forward.eq(self._live & computing.write & (computing.to == step["from"])),
            write.addr.eq(computing.to),
            write.data.eq(self._result),
            write.en.eq(self._live & computing.write),
            self.taken.eq(valid & (step.source == Source.INLET) & (step["from"] == Inlet.MEMORY)),
        ]
        m.d.sync += [self._live.eq(valid), computing.eq(step)]
        early = Mux(
            step.source == Source.NUMBER,
            step.number,
            Mux(step.source == Source.INLET, choose(step["from"], inlets), read.data),
        )
        m.d.sync += source.eq(
            Mux(
                step.source == Source.PRODUCT,
                product.word_select(step["from"][0], 16),
                Mux(forward & (step.source == Source.REGISTER), self._result, early),
            )
        )
        return source

    def _compute(self, b: Value) -> None:
        """Sums, differences, bits; a division shifts the quotient's top bit into A first."""
        m, step, a, carry = self._m, self._step, self._a, self._carry
        quotient, live = self._quotient, self._live
        use, inverted, again, other = (step.alu[i] for i in range(4))
        left, total = Signal(16), Signal(17)
        divide, fits, length = Signal(), Signal(), Signal(5)
        m.d.comb += [
            divide.eq(step.alu == Alu.DIVIDE),
            left.eq(Mux(use, Mux(divide, Cat(quotient[15], a[:15]), a), 0)),
            total.eq(
                add_carry(left, b ^ inverted.replicate(16), Mux(again, carry ^ inverted, inverted))
            ),
            fits.eq(a[15] | total[16]),
        ]
        for index in range(16):
            with m.If(b[index]):
                m.d.comb += length.eq(index + 1)
        bit = Cat(b[:4] == i for i in range(16))
        m.d.comb += self._result.eq(
            Mux(
                other & ~divide,
                Mux(inverted, length, Mux(use, bit, a & b)),
                Mux(divide & ~fits, left, total[:16]),
            )
        )
        with m.If(live & ~step.keep):
            m.d.sync += a.eq(self._result)
        with m.If(live & use & ~other):
            m.d.sync += carry.eq(total[16] ^ inverted)
        with m.If(live & divide):
            m.d.sync += quotient.eq(Cat(fits, quotient[:15]))
        with m.If(self._put & (step.port == Outlet.QUOTIENT)):
            m.d.sync += quotient.eq(self._result)
