"""The processor's way to memory: requests, single halfwords, and a CRC over a stretch.

It knows bursts and how halfwords make up a memory word; it does not know what memory holds.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.gateware.link.bus import BusSignature, Input, Output
from edge_sdk.firmware_images.gateware.ports import MemorySignature

MAX_BURST = 4096
"""Halfwords that one request may ask for."""


class MemoryPort(wiring.Component):
    """Ports 8 to 15. Addresses and counts are halfwords, multiples of a memory word.

    Words that arrive before a request was taken are dropped: they belong to a burst that the core
    did not finish.
    """

    def __init__(self, memory_bits: int, address_bits: int) -> None:
        self.memory_bits = memory_bits
        self.address_bits = address_bits
        super().__init__(
            {
                "bus": In(BusSignature()),
                "memory": Out(MemorySignature(memory_bits, address_bits)),
                "crc_feed": Out(1),
                "crc_data": Out(8),
                "crc": In(32),
                "busy": Out(1),
                "valid": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One request register; a place within the word for each direction."""
        m = Module()
        bus, memory = self.bus, self.memory
        halfwords = self.memory_bits // 16
        shift = halfwords.bit_length() - 1
        address = Signal(self.address_bits + shift)
        count = Signal(range(MAX_BURST + 1))
        pending, writes, sums = Signal(), Signal(), Signal()
        m.d.comb += [
            memory.request.payload.address.eq(address >> shift),
            memory.request.payload.count.eq(count >> shift),
            memory.request.payload.write.eq(writes),
            memory.request.valid.eq(pending),
        ]
        with m.If(pending & memory.request.ready):
            m.d.sync += pending.eq(0)

        # Reading: by bytes for the CRC, by halfwords for the processor.
        place = Signal(range(halfwords * 2))
        whole = Signal()
        fresh = Signal()
        takes = Signal()
        m.d.comb += [
            fresh.eq(memory.read.valid & ~pending),
            self.crc_feed.eq(sums & fresh),
            self.crc_data.eq(memory.read.payload.word_select(place, 8)),
            takes.eq(fresh & (sums | (bus.read & (bus.port == Input.MEMORY_DATA)))),
            whole.eq(place[1:].all() & (place[0] | ~sums)),
            memory.read.ready.eq(pending | (takes & whole)),
            self.busy.eq(pending | sums),
            self.valid.eq(fresh),
        ]
        with m.If(takes):
            m.d.sync += place.eq(place + Mux(sums, 1, 2))
            with m.If(sums & place[0]):
                m.d.sync += count.eq(count - 1)
                with m.If(count == 1):
                    m.d.sync += sums.eq(0)

        # Writing: the halfwords before the last of a word wait here.
        filled = Signal(range(halfwords + 1))
        kept = Signal(max(self.memory_bits - 16, 0))
        puts, last, blocked = Signal(), Signal(), Signal()
        m.d.comb += [
            puts.eq(bus.write & (bus.port == Output.MEMORY_DATA)),
            last.eq(filled == halfwords - 1),
            memory.write.payload.eq(Cat(kept, bus.data)),
            memory.write.valid.eq(puts & last & ~pending),
            blocked.eq(last & (pending | ~memory.write.ready)),
        ]
        with m.If(puts & ~blocked):
            m.d.sync += filled.eq(Mux(last, 0, filled + 1))
            m.d.sync += kept.eq(Cat(kept, bus.data) >> 16)

        with m.If(bus.write), m.Switch(bus.port):
            with m.Case(Output.MEMORY_LOW):
                m.d.sync += address[:16].eq(bus.data)
            with m.Case(Output.MEMORY_HIGH):
                m.d.sync += address[16:].eq(bus.data)
            with m.Case(Output.READ_MEMORY, Output.CRC_MEMORY, Output.WRITE_MEMORY):
                m.d.sync += [
                    count.eq(bus.data),
                    pending.eq(1),
                    place.eq(0),
                    filled.eq(0),
                    writes.eq(bus.port == Output.WRITE_MEMORY),
                    sums.eq(bus.port == Output.CRC_MEMORY),
                ]
        with m.Switch(bus.port):
            with m.Case(Input.MEMORY_DATA):
                m.d.comb += bus.value.eq(memory.read.payload.word_select(place[1:], 16))
                m.d.comb += bus.wait.eq(bus.read & ~fresh)
            with m.Case(Output.MEMORY_DATA):
                m.d.comb += bus.wait.eq(bus.write & blocked)
            with m.Case(Input.FOUND_LOW):
                m.d.comb += bus.value.eq((memory.found << shift)[:16])
            with m.Case(Input.FOUND_HIGH):
                m.d.comb += bus.value.eq((memory.found << shift)[16:])
            with m.Case(Input.CRC_LOW):
                m.d.comb += bus.value.eq(self.crc[:16])
            with m.Case(Input.CRC_HIGH):
                m.d.comb += bus.value.eq(self.crc[16:])
        return m
