"""Starts the elements of a pass: counts them, addresses their operands, waits for their sources.

It knows where operands come from; it does not know what is computed with them.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.contract.geometry import ACCUMULATOR_BITS, ELEMENT_BITS
from edge_sdk.firmware_images.gateware.core.control import TOTAL, VECTOR_MODE
from edge_sdk.firmware_images.gateware.core.rams import OPERANDS


class Issue(wiring.Component):
    """One element a cycle, or one in two or three cycles if operands share a RAM.

    `issued` is high in the cycle in which the RAMs see the last address of an element; `operand`
    holds its number from memory or from the array one cycle later, `capture` says then which of
    the RAMs' values are now those of the element, and `last` that it is the pass's last.
    With `top`, sums move to `best` and no elements start.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "enable": In(1, init=1),
                "mode": In(VECTOR_MODE),
                "rams": In(data.ArrayLayout(2, OPERANDS)),
                "offsets": In(data.ArrayLayout(16, OPERANDS)),
                "count": In(16),  # elements, less one
                "start": In(1),
                "top": In(1),  # with start
                "stop": In(1),
                "halfwords": In(stream.Signature(unsigned(ELEMENT_BITS))),
                "finish": Out(1),  # with a halfword: it is the pass's last
                "sums": In(stream.Signature(TOTAL)),
                "best": Out(stream.Signature(TOTAL)),
                "addresses": Out(data.ArrayLayout(16, OPERANDS)),
                "shared": Out(1),
                "turn": Out(2),
                "running": Out(1),
                "issued": Out(1),
                "operand": Out(signed(ACCUMULATOR_BITS)),
                "capture": Out(OPERANDS),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """`index` counts elements, `turn` the operands of one."""
        m = Module()
        mode, rams = self.mode, self.rams
        index, top, end = Signal(16), Signal(), Signal()
        present, final, step = Signal(), Signal(), Signal()
        m.d.comb += [
            *(self.addresses[i].eq(self.offsets[i] + index) for i in range(OPERANDS)),
            present.eq(
                (~mode.memory | self.halfwords.valid) & (~mode.sums | self.sums.valid) & ~top
            ),
            final.eq(~self.shared | Mux(mode.three, self.turn[1], self.turn[0])),
            step.eq(self.running & self.enable & present),
            self.issued.eq(step & final),
            end.eq(index == self.count),
            self.halfwords.ready.eq(self.issued & mode.memory & (~mode.byte | index[0] | end)),
            self.finish.eq(end),
            self.best.valid.eq(self.running & top & self.sums.valid),
            self.best.payload.eq(self.sums.payload),
            self.sums.ready.eq(self.running & Mux(top, self.best.ready, self.enable & mode.sums)),
        ]
        m.d.sync += self.shared.eq(
            (mode.two & (rams[0] == rams[1]))
            | (mode.three & ((rams[0] == rams[2]) | (rams[1] == rams[2])))
        )
        value = Signal(signed(ACCUMULATOR_BITS))
        half = self.halfwords.payload
        with m.If(mode.sums):
            m.d.comb += value.eq(self.sums.payload.sum)
        with m.Elif(~mode.memory):
            m.d.comb += value.eq(mode.unit)
        with m.Elif(mode.byte):
            m.d.comb += value.eq(Mux(index[0], half[8:], half[:8]).as_signed())
        with m.Else():
            m.d.comb += value.eq(half.as_signed())
        with m.If(self.enable):
            m.d.sync += [
                self.operand.eq(value),
                self.last.eq(end),
                *(self.capture[i].eq(~self.shared | (self.turn == i)) for i in range(OPERANDS)),
            ]
        with m.If(step):
            m.d.sync += self.turn.eq(Mux(final, 0, self.turn + 1))
        with m.If(self.start):
            m.d.sync += [index.eq(0), self.running.eq(1), top.eq(self.top)]
        with m.Elif(self.issued | (self.best.valid & self.best.ready)):
            m.d.sync += [index.eq(index + 1), self.running.eq(~end)]
        with m.If(self.stop):
            m.d.sync += [self.running.eq(0), self.turn.eq(0)]
        return m
