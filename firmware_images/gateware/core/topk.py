"""The k largest sums of a matrix, kept in passing.

It knows sums and their rows, which come in ascending order; it does not know scales.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from edge_sdk.firmware_images.contract.geometry import ACCUMULATOR_BITS, MAX_TOP_K
from edge_sdk.firmware_images.gateware.core.control import TOTAL

_INDEX_BITS = ceil_log2(MAX_TOP_K)
_MOST = (1 << (ACCUMULATOR_BITS - 1)) - 1


class TopK(wiring.Component):
    """A list in the order of rows; a larger sum takes the place of the smallest.

    When a sum comes in, the smallest one is taken out, those behind it move up, and while they do
    the next smallest is found. Of equal sums the last one, which has the highest row, goes first.
    An item at `index` can be read one cycle later.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "clear": In(1),
                "k": In(ceil_log2(MAX_TOP_K + 1)),  # with clear
                "sums": In(stream.Signature(TOTAL)),
                "count": Out(ceil_log2(MAX_TOP_K + 1)),
                "index": In(_INDEX_BITS),
                "item": Out(TOTAL),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One block RAM; a scan reads an item a cycle and writes it where it belongs."""
        m = Module()
        # A scan is over before anybody else reads: no bypass around the block RAM.
        m.submodules.store = store = Memory(
            shape=TOTAL, depth=MAX_TOP_K, init=[], attrs={"no_rw_check": 1}
        )
        read, write = store.read_port(domain="comb"), store.write_port()
        size, smallest = Signal.like(self.count), Signal(signed(ACCUMULATOR_BITS), init=_MOST)
        smallest_at, gone, at = Signal(_INDEX_BITS), Signal(_INDEX_BITS), Signal.like(self.count)
        scanning, compare, skip = Signal(), Signal(), Signal()
        full, lower, put, end = Signal(), Signal(), Signal(), Signal()
        candidate = Signal(TOTAL)
        m.d.comb += [
            candidate.eq(Mux(scanning, self.item, self.sums.payload)),
            lower.eq(candidate.sum <= smallest),
            full.eq(self.count == size),
            end.eq(at == size),
            # While an item is taken out, the sum that is better waits; then there is room for it.
            self.sums.ready.eq(~scanning & (~full | lower)),
            put.eq(Mux(scanning, compare & ~skip, self.sums.valid & ~full)),
            read.addr.eq(Mux(scanning, at, self.index)),
            write.addr.eq(self.count),
            write.data.eq(candidate),
            write.en.eq(put),
            self.idle.eq(~scanning),
        ]
        m.d.sync += [self.item.eq(read.data), compare.eq(scanning & ~end), skip.eq(at == gone)]
        with m.If(self.clear):
            m.d.sync += [size.eq(self.k), self.count.eq(0), smallest.eq(_MOST), scanning.eq(0)]
        with m.Elif(put):
            m.d.sync += self.count.eq(self.count + 1)
            with m.If(lower):
                m.d.sync += [smallest.eq(candidate.sum), smallest_at.eq(self.count)]
        with m.Elif(~scanning & self.sums.valid & full & ~lower):
            # Items are written back from 0 on, all but the smallest.
            m.d.sync += [scanning.eq(1), self.count.eq(0), smallest.eq(_MOST)]
            m.d.sync += [gone.eq(smallest_at), at.eq(0)]
        with m.If(scanning):
            m.d.sync += at.eq(at + 1)
            with m.If(end):
                m.d.sync += scanning.eq(0)
        return m
