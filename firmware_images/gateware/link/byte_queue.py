"""Bytes that wait their turn, in one block RAM.

It knows the order of bytes; it does not know what they are.
"""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out


class ByteQueue(wiring.Component):
    """Holds `depth` bytes, a power of two; gives one every other cycle.

    That is enough for a line, and takes a third of the logic of a queue that gives one a cycle.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "input": In(stream.Signature(8)),
                "output": Out(stream.Signature(8)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two counters with a bit more than an address: equal is empty, half a turn is full."""
        m = Module()
        m.submodules.store = store = memory.Memory(shape=8, depth=self.depth, init=[])
        read, write = store.read_port(), store.write_port()
        written = Signal(range(2 * self.depth))
        given = Signal(range(2 * self.depth))
        take = Signal()
        m.d.comb += [
            self.empty.eq(written == given),
            self.input.ready.eq(written ^ given != self.depth),
            write.en.eq(self.input.valid & self.input.ready),
            write.addr.eq(written),
            write.data.eq(self.input.payload),
            read.addr.eq(given),
            self.output.payload.eq(read.data),
            take.eq(self.output.valid & self.output.ready),
        ]
        # The byte at `given` is read in this cycle and there in the next.
        m.d.sync += self.output.valid.eq(~self.empty & ~take)
        with m.If(write.en):
            m.d.sync += written.eq(written + 1)
        with m.If(take):
            m.d.sync += given.eq(given + 1)
        return m
