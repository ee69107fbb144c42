"""The k largest sums of a matrix, kept in passing.

It knows sums and their rows, which come in ascending order; it does not know scales.
"""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from edge_sdk.firmware_images.contract.geometry import ACCUMULATOR_BITS, MAX_TOP_K
from edge_sdk.firmware_images.gateware.core.control import TOTAL

_INDEX_BITS = ceil_log2(MAX_TOP_K)
_SIGN = 1 << (ACCUMULATOR_BITS - 1)
_MOST = 2 * _SIGN - 1
_ITEM = data.StructLayout({"row": 16, "sum": ACCUMULATOR_BITS})
"""As kept: with the sign turned over, sums compare as unsigned numbers, in one carry chain."""


class TopK(wiring.Component):
    """A list in the order of rows; a larger sum takes the place of the smallest.

    When it does, all items are written back from 0 on but for the smallest, and while they are the
    next smallest is found; then there is room for the new one. Of equal sums the last one, which
    has the highest row, goes first. An item at `index` can be read one cycle later.
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
        """One block RAM, and one comparison in each cycle of a scan."""
        m = Module()
        # A scan is over before anybody else reads: no bypass around the block RAM.
        m.submodules.store = store = Memory(
            shape=_ITEM, depth=MAX_TOP_K, init=[], attrs={"no_rw_check": 1, "ram_style": "block"}
        )
        read, write = store.read_port(domain="comb"), store.write_port()
        size, at = Signal.like(self.count), Signal.like(self.count)
        smallest = Signal(ACCUMULATOR_BITS, init=_MOST)
        smallest_at, gone = Signal(_INDEX_BITS), Signal(_INDEX_BITS)
        found, candidate = Signal(_ITEM, reset_less=True), Signal(_ITEM, reset_less=True)
        coming = Signal(_ITEM)
        scanning, decide, full, lower, put = Signal(), Signal(), Signal(), Signal(), Signal()
        # Of the item that is read, found, and the candidate: that it is one that stays.
        stays = [Signal(name=f"stays{index}") for index in range(3)]
        busy = Cat(*stays).any()
        m.d.comb += [
            lower.eq(candidate.sum <= smallest),
            full.eq(self.count == size),
            put.eq(stays[2] | (decide & ~full)),
            stays[0].eq(scanning & (at != gone)),
            read.addr.eq(Mux(scanning, at, self.index)),
            coming.row.eq(self.sums.payload.row),
            coming.sum.eq(self.sums.payload.sum ^ _SIGN),
            self.item.row.eq(found.row),
            self.item.sum.eq(found.sum ^ _SIGN),
            write.addr.eq(self.count),
            write.data.eq(candidate),
            write.en.eq(put),
            self.idle.eq(~scanning & ~busy & ~decide),
        ]
        m.d.sync += [
            found.eq(read.data),
            candidate.eq(Mux(stays[1], found, coming)),
            *(after.eq(before) for before, after in pairwise(stays)),
            # A sum is looked at for one cycle, and taken in the next unless it has to wait.
            decide.eq(self.sums.valid & self.idle & ~self.sums.ready),
            self.sums.ready.eq(decide & (~full | lower)),
        ]
        with m.If(self.clear):
            m.d.sync += [size.eq(self.k), self.count.eq(0), smallest.eq(_MOST)]
        with m.Elif(put):
            m.d.sync += self.count.eq(self.count + 1)
            with m.If(lower):
                m.d.sync += [smallest.eq(candidate.sum), smallest_at.eq(self.count)]
        with m.Elif(decide & full & ~lower):
            m.d.sync += [scanning.eq(1), at.eq(0), gone.eq(smallest_at)]
            m.d.sync += [self.count.eq(0), smallest.eq(_MOST)]
        with m.If(scanning):
            m.d.sync += at.eq(at + 1)
            with m.If(at + 1 == size):
                m.d.sync += scanning.eq(0)
        return m
