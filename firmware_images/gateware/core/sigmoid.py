"""The sigmoid of Q3.12 numbers in Q15, interpolated in a table.

It knows docs/accelerator-isa.md's ACT up to g; it does not know where the numbers come from.
"""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.contract.tables import sigmoid_table
from edge_sdk.firmware_images.gateware.core.adder import add_carry

ENTRY = data.StructLayout({"value": 15, "step": 10})
DELAY = 3
"""Cycles from `number` to `result`."""


class Sigmoid(wiring.Component):
    """Clamps `number` to 16 bits; `result` comes DELAY cycles later, one number a cycle."""

    def __init__(self) -> None:
        super().__init__({"enable": In(1, init=1), "number": In(signed(20)), "result": Out(15)})

    def elaborate(self, platform: object) -> Module:
        """A value and the step to the next one in one block RAM."""
        m = Module()
        table = sigmoid_table()
        init = [{"value": low, "step": high - low} for low, high in pairwise(table)]
        m.submodules.table = store = Memory(shape=ENTRY, depth=len(init), init=init)
        port = store.read_port()
        # y = p + 32768: the sign bit turned over.
        y = Signal(16)
        sign, above = self.number[-1], self.number[15:-1]
        with m.If(sign & ~above.all()):
            m.d.comb += y.eq(0)
        with m.Elif(~sign & above.any()):
            m.d.comb += y.eq(0xFFFF)
        with m.Else():
            m.d.comb += y.eq(self.number[:16] ^ 0x8000)
        entry = Signal(ENTRY)
        fraction, later, product, base = Signal(8), Signal(8), Signal(18), Signal(15)
        m.d.comb += [
            port.addr.eq(y[8:]),
            port.en.eq(self.enable),
            # Rounds half up: bit 7 of the product is carried in.
            self.result.eq(add_carry(base, product[8:], product[7])[:15]),
        ]
        with m.If(self.enable):
            m.d.sync += [
                fraction.eq(y[:8]),
                later.eq(fraction),
                entry.eq(port.data),
                base.eq(entry.value),
                product.eq(entry.step * later),
            ]
        return m
