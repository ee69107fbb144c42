"""Gives memory to the core while a task runs, and to the link otherwise.

It knows who owns memory; it does not know what is read.
"""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.gateware.ports import MemorySignature


class MemorySwitch(wiring.Component):
    """Two that ask, one memory. What the core left unread when it was broken off is still there
    for the link, which drops it (see MemoryPort)."""

    def __init__(self, memory_bits: int, address_bits: int) -> None:
        signature = MemorySignature(memory_bits, address_bits)
        super().__init__(
            {
                "core_owns": In(1),
                "core": In(signature),
                "link": In(signature),
                "memory": Out(signature),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """All that is known of memory goes to both; a stream only to its owner."""
        m = Module()
        for port in (self.core, self.link):
            m.d.comb += [
                port.ready.eq(self.memory.ready),
                port.found.eq(self.memory.found),
                port.refresh.eq(self.memory.refresh),
                port.read.payload.eq(self.memory.read.payload),
            ]
        for owns, port in ((self.core_owns, self.core), (~self.core_owns, self.link)):
            with m.If(owns):
                m.d.comb += [
                    self.memory.request.payload.eq(port.request.payload),
                    self.memory.request.valid.eq(port.request.valid),
                    port.request.ready.eq(self.memory.request.ready),
                    self.memory.write.payload.eq(port.write.payload),
                    self.memory.write.valid.eq(port.write.valid),
                    port.write.ready.eq(self.memory.write.ready),
                    port.read.valid.eq(self.memory.read.valid),
                    self.memory.read.ready.eq(port.read.ready),
                ]
        return m
