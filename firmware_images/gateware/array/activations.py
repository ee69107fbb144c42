"""The activation memory: int8 values grouped as the words of weights will meet them.

It knows the order in which both come; it does not know weights.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from edge_sdk.firmware_images.contract.geometry import DIGITS_PER_BYTE, TRITS_PER_BYTE

ACTIVATION = data.StructLayout({"value": signed(8), "last": 1})


class ActivationMemory(wiring.Component):
    """Written one value a cycle, read one group of all lanes a cycle, one cycle after `group`.

    Column c of a group stands in the lane that decodes its weight: 2-bit bytes leave every fifth
    lane alone. The first value of a group clears the rest of it, so a group that stays unfinished
    ends in zeros without being written again.

    Args:
        lanes: a multiple of five.
        depth: groups; what is written beyond them is lost.
    """

    def __init__(self, lanes: int, depth: int) -> None:
        self.lanes = lanes
        self.depth = depth
        super().__init__(
            {
                "five": In(1),
                "write": In(1),
                "activation": In(ACTIVATION),
                "group": In(ceil_log2(depth)),
                "values": Out(data.ArrayLayout(signed(8), lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A write enable a lane: block RAMs have one for each byte."""
        m = Module()
        # Nobody reads while values come. Synthesis is told so by this attribute, which it heeds
        # for a register that it merges into the memory; else it builds a bypass of 80 registers.
        store = Memory(shape=8 * self.lanes, depth=self.depth, init=[], attrs={"no_rw_check": 1})
        m.submodules.store = store
        write, read = store.write_port(granularity=8), store.read_port(domain="comb")
        values = Signal(8 * self.lanes, reset_less=True)
        lane = Signal(self.lanes, init=1)  # one bit, at the lane of the next value
        group = Signal(range(self.depth + 1))
        value = self.activation.value
        first = lane[0]

        # After the fourth value of a byte comes the fifth, or the first of the next byte.
        fourth = Cat(lane[DIGITS_PER_BYTE - 1 :: TRITS_PER_BYTE]).any()
        skip = fourth & ~self.five
        filled = lane[-1] | (lane[-2] & ~self.five)
        full = group[-1] if self.depth & (self.depth - 1) == 0 else group == self.depth
        m.d.comb += [
            write.addr.eq(group),
            write.data.eq(Cat(value, [Mux(first, 0, value) for _ in range(1, self.lanes)])),
            write.en.eq(
                Mux(self.write & ~full, lane | first.replicate(self.lanes), 0),
            ),
            read.addr.eq(self.group),
            self.values.as_value().eq(values),
        ]
        m.d.sync += values.eq(read.data)
        with m.If(self.write):
            with m.If(self.activation.last):
                m.d.sync += [lane.eq(1), group.eq(0)]
            with m.Else():
                m.d.sync += lane.eq(Mux(skip, lane.rotate_left(2), lane.rotate_left(1)))
                with m.If(filled & ~full):
                    m.d.sync += group.eq(group + 1)
        return m
