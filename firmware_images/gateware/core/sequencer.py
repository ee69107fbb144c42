"""A small 16-bit machine that runs the core: one accumulator, 32 registers, one step a cycle.

It knows the steps of control.STEP; what they are for is written in microcode. It does not know
instructions or vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from edge_sdk.firmware_images.gateware.core.adder import add_carry
from edge_sdk.firmware_images.gateware.core.control import (
    STEP,
    STEPS,
    Alu,
    Condition,
    Flow,
    Inlet,
    Outlet,
    Source,
)

OPERAND_BASE = 12
"""The registers that Source.OPERAND picks one of."""


class Sequencer(wiring.Component):
    """Runs `program` from its first step on; `restart` begins again there.

    `taken` is high in the cycle in which a step reads Inlet.MEMORY, `put` in the cycle in which
    `bus` is for the outlet `port`.
    """

    def __init__(self, program: Sequence[int]) -> None:
        if len(program) > STEPS:
            raise ValueError(f"a program of {len(program)} steps does not fit {STEPS}")
        self.program = program
        super().__init__(
            {
                "restart": In(1),
                "conditions": In(len(Condition)),
                "inlets": In(data.ArrayLayout(16, 32)),
                "rams": In(data.ArrayLayout(2, 3)),
                "port": Out(5),
                "taken": Out(1),
                "put": Out(1),
                "bus": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Fetch, hold, execute: a jump that is taken costs one cycle more."""
        m = Module()
        a, quotient, carry = Signal(16), Signal(16), Signal()
        b, divide, inverted = Signal(16), Signal(), Signal()
        step, run = self._fetch(m, a, carry)

        # Source.
        m.submodules.registers = registers = Memory(shape=16, depth=32, init=[])
        read, write = registers.read_port(domain="comb"), registers.write_port()
        operand = Array(self.rams)[step["from"][:2]]
        picked = Cat(operand, Const(OPERAND_BASE >> 2, 3))
        factors = [Signal(16, reset_less=True, name=name) for name in ("factor", "multiplier")]
        product = Signal(32, reset_less=True)
        m.d.sync += product.eq(factors[0] * factors[1])
        inlets = [self.inlets[index] for index in range(32)]
        inlets[Inlet.PRODUCT_LOW], inlets[Inlet.PRODUCT_HIGH] = product[:16], product[16:]
        inlets[Inlet.QUOTIENT] = quotient
        inlet = Array(inlets)[step["from"]]
        m.d.comb += [
            read.addr.eq(Mux(step.source == Source.OPERAND, picked, step["from"])),
            b.eq(
                Mux(
                    step.source[1],
                    Mux(step.source[0], inlet, step.number),
                    read.data,
                )
            ),
        ]

        # A sum or a difference; a division shifts the quotient's top bit in first.
        use, borrow, again = step.alu[0], step.alu[1], step.alu[2]
        left, out, fits = Signal(16), Signal(17), Signal()
        m.d.comb += [
            divide.eq(step.alu == Alu.DIVIDE),
            inverted.eq(borrow),
            left.eq(Mux(use, Mux(divide, Cat(quotient[15], a[:15]), a), 0)),
            out.eq(
                add_carry(
                    left, b ^ inverted.replicate(16), Mux(again, carry ^ inverted, inverted)
                )
            ),
            fits.eq(a[15] | out[16]),
        ]
        bit = Cat(b[:4] == i for i in range(16))
        length = Signal(5)
        for index in range(16):
            with m.If(b[index]):
                m.d.comb += length.eq(index + 1)
        m.d.comb += self.bus.eq(
            Mux(
                step.alu[3] & ~divide,
                Mux(step.alu[1], length, Mux(step.alu[0], bit, a & b)),
                Mux(divide & ~fits, left, out[:16]),
            )
        )
        m.d.comb += [
            self.port.eq(step.port),
            self.taken.eq(
                run & (step.source == Source.INLET) & (step["from"] == Inlet.MEMORY)
            ),
            self.put.eq(run & step.out),
            write.addr.eq(step.to),
            write.data.eq(self.bus),
            write.en.eq(run & step.write),
        ]
        with m.If(run):
            with m.If(~step.keep):
                m.d.sync += a.eq(self.bus)
            with m.If(~step.alu[3] & use):
                m.d.sync += carry.eq(out[16] ^ inverted)
            with m.If(divide):
                m.d.sync += quotient.eq(Cat(fits, quotient[:15]))
            with m.If(step.out & (step.port == Outlet.QUOTIENT)):
                m.d.sync += quotient.eq(self.bus)
            with m.If(step.out & (step.port == Outlet.FACTOR)):
                m.d.sync += factors[0].eq(self.bus)
            with m.If(step.out & (step.port == Outlet.MULTIPLY)):
                m.d.sync += factors[1].eq(self.bus)
        return m

    def _fetch(self, m: Module, a: Value, carry: Value) -> tuple[data.View, Value]:
        """The step that is executed, and whether it is, in this cycle."""
        size = 1 << ceil_log2(len(self.program))
        m.submodules.steps = rom = Memory(shape=STEP.size, depth=size, init=self.program)
        port = rom.read_port()
        step = Signal(STEP)
        conditions = Signal(len(Condition))
        fetched, live, jump, wait = Signal(), Signal(), Signal(), Signal()
        following, address = Signal(range(size)), Signal(range(size))
        holds = Array(conditions)[step.condition]
        m.d.comb += [
            conditions.eq(self.conditions),
            conditions[Condition.ALWAYS].eq(1),
            conditions[Condition.ZERO].eq(a == 0),
            conditions[Condition.CARRY].eq(carry),
            conditions[Condition.NEGATIVE].eq(a[15]),
            wait.eq(live & (step.flow == Flow.WAIT) & ~holds),
            jump.eq(live & step.flow[1] & (holds ^ step.flow[0])),
            address.eq(
                Mux(
                    jump,
                    Cat(Mux(step.indexed, a[:5], step.target[:5]), step.target[5:]),
                    following,
                )
            ),
            port.addr.eq(address),
            port.en.eq(~wait),
        ]
        with m.If(~wait):
            m.d.sync += [
                following.eq(address + 1),
                fetched.eq(1),
                step.eq(port.data),
                live.eq(fetched & ~jump),
            ]
        with m.If(self.restart):
            m.d.sync += [following.eq(0), fetched.eq(0), live.eq(0)]
        return step, live & ~wait
