"""Which word of weights belongs to which group of activations, and where rows end.

It knows columns and rows; it does not know what words or sums are.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from edge_sdk.firmware_images.contract.geometry import DIGITS_PER_BYTE, TRITS_PER_BYTE


class RowControl(wiring.Component):
    """Counts words from `start` on: `group` and `last` are those of the word that `take` takes.

    `running` is high while words are wanted, from the second cycle after `start`.

    Args:
        memory_bits: width of a word.
        depth: groups of activations.
    """

    def __init__(self, memory_bits: int, depth: int) -> None:
        self.bytes = memory_bits // 8
        self.depth = depth
        super().__init__(
            {
                "five": In(1),
                "columns": In(16),
                "rows": In(16),
                "start": In(1),
                "take": In(1),
                "running": Out(1),
                "group": Out(ceil_log2(depth)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """`margin` is the columns beyond this word, less 1: negative in the last word of a row."""
        m = Module()
        five, four = TRITS_PER_BYTE * self.bytes, DIGITS_PER_BYTE * self.bytes
        first = Signal(range(-(2**16), 2**16), reset_less=True)
        margin = Signal.like(first)
        left = Signal(16)  # rows, this one included
        starting = Signal()

        m.d.comb += self.last.eq(margin < 0)
        m.d.sync += [
            starting.eq(self.start),
            first.eq(self.columns + Mux(self.five, -1 - five, -1 - four)),
        ]
        with m.If(starting):
            m.d.sync += [
                self.running.eq(1),
                self.group.eq(0),
                margin.eq(first),
                left.eq(self.rows),
            ]
        with m.Elif(self.take):
            m.d.sync += [
                self.group.eq(Mux(self.last, 0, self.group + 1)),
                margin.eq(Mux(self.last, first, margin + Mux(self.five, -five, -four))),
            ]
            with m.If(self.last):
                m.d.sync += [left.eq(left - 1), self.running.eq(left != 1)]
        return m
