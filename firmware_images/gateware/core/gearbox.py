"""Memory words cut into halfwords, and the switch between the core's two readers of memory.

It knows widths; it does not know what the halfwords mean.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from edge_sdk.firmware_images.contract.geometry import ELEMENT_BITS


class Gearbox(wiring.Component):
    """Gives the words of memory to the array, whole, or as halfwords, the lowest first.

    `finish`, with a halfword that is taken, drops those that are left of its word; `drop` takes
    words and gives them to nobody.

    Args:
        memory_bits: a multiple of 16.
    """

    def __init__(self, memory_bits: int) -> None:
        self.memory_bits = memory_bits
        super().__init__(
            {
                "input": In(stream.Signature(unsigned(memory_bits))),
                "to_array": In(1),
                "drop": In(1),
                "finish": In(1),
                "words": Out(stream.Signature(unsigned(memory_bits))),
                "halfwords": Out(stream.Signature(unsigned(ELEMENT_BITS))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One register of a word, shifted down a halfword at a time."""
        m = Module()
        parts = self.memory_bits // ELEMENT_BITS
        held = Signal(self.memory_bits, reset_less=True)
        left = Signal(range(parts + 1))
        taken, room = Signal(), Signal()
        m.d.comb += [
            self.words.payload.eq(self.input.payload),
            self.words.valid.eq(self.input.valid & self.to_array & ~self.drop),
            self.halfwords.payload.eq(held),
            self.halfwords.valid.eq(left != 0),
            taken.eq(self.halfwords.valid & self.halfwords.ready),
            room.eq((left == 0) | (taken & ((left == 1) | self.finish))),
            self.input.ready.eq(self.drop | Mux(self.to_array, self.words.ready, room)),
        ]
        with m.If(room):
            m.d.sync += held.eq(self.input.payload)
        with m.Elif(taken):
            m.d.sync += held.eq(held >> ELEMENT_BITS)
        with m.If(self.drop):
            m.d.sync += left.eq(0)
        with m.Elif(room):
            m.d.sync += left.eq(Mux(self.input.valid & ~self.to_array, parts, 0))
        with m.Elif(taken):
            m.d.sync += left.eq(left - 1)
        assert ceil_log2(parts) == parts.bit_length() - 1
        return m
