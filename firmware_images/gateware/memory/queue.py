"""A queue whose places are reserved before the items exist, so that a pipeline never has to stop.

It knows how many places are spoken for; it does not know what fills them or how long that takes.
"""

from __future__ import annotations

from amaranth.hdl import Module, Signal, ValueLike
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class ReservedQueue(wiring.Component):
    """First in, first out.

    The producer may `reserve` a place in any cycle with `room`; each reservation is followed, in
    any later cycle, by one `push` of an item. `vacant`: nothing is reserved, nothing is held.

    Args:
        shape: of an item.
        depth: places, a power of two. 16 fits the distributed memory of the FPGAs in use.
    """

    def __init__(self, shape: object, depth: int = 16) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"the depth of a queue is a power of two above 1, not {depth}")
        self.shape = shape
        self.depth = depth
        super().__init__(
            {
                "reserve": In(1),
                "room": Out(1),
                "vacant": Out(1),
                "push": In(1),
                "item": In(shape),
                "output": Out(stream.Signature(shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two pointers with a wrap bit, and a count of places that nobody has spoken for."""
        m = Module()
        m.submodules.store = store = Memory(shape=self.shape, depth=self.depth, init=[])
        write = store.write_port()
        read = store.read_port(domain="comb")
        written = Signal(range(2 * self.depth))
        taken = Signal(range(2 * self.depth))
        free = Signal(range(self.depth + 1), init=self.depth)
        pop: ValueLike = self.output.valid & self.output.ready
        m.d.comb += [
            write.addr.eq(written),
            write.data.eq(self.item),
            write.en.eq(self.push),
            read.addr.eq(taken),
            self.output.payload.eq(read.data),
            self.output.valid.eq(written != taken),
            self.room.eq(free != 0),
            self.vacant.eq(free == self.depth),
        ]
        m.d.sync += [
            written.eq(written + self.push),
            taken.eq(taken + pop),
        ]
        with m.If(self.reserve & ~pop):
            m.d.sync += free.eq(free - 1)
        with m.Elif(pop & ~self.reserve):
            m.d.sync += free.eq(free + 1)
        return m
