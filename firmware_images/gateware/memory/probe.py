"""Finds out how much of a memory is really there, by writing and reading it.

It knows any MemorySignature; it does not know what kind of memory stands behind it.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.gateware.ports import MemorySignature


class MemoryProbe(wiring.Component):
    """Tests `memory` once, then is a wire between it and `port`.

    A smaller chip ignores address bits, so that words a power of two apart are the same word. A
    word is written at every power of two, from the highest down, and at 0 last; then they are read
    from 0 upwards. The first one that is wrong is where memory ends: `port.found`, 0 if it is word
    0. All is done again with every bit inverted, which shows data lines that are stuck.
    """

    def __init__(self, memory_bits: int, address_bits: int) -> None:
        self.memory_bits = memory_bits
        self.address_bits = address_bits
        signature = MemorySignature(memory_bits, address_bits)
        super().__init__({"memory": Out(signature), "port": In(signature)})

    def elaborate(self, platform: object) -> Module:
        """`place` is one-hot, or 0 for word 0; its highest bit is the end."""
        m = Module()
        memory, port = self.memory, self.port
        highest = self.address_bits - 1
        place = Signal(self.address_bits + 1, init=1 << highest)
        number = Signal(5)  # of the place: each has a pattern of its own
        inverted = Signal()
        found = Signal(self.address_bits + 1, init=1 << self.address_bits)
        done = Signal()
        code = Cat(number, ~number[:3]) ^ inverted.replicate(8)
        pattern = Cat([code if byte % 2 == 0 else ~code for byte in range(self.memory_bits // 8)])
        asking, writing, reading = Signal(), Signal(), Signal()

        m.d.comb += [
            port.ready.eq(done),
            port.found.eq(Mux(done, found, 0)),
            port.refresh.eq(memory.refresh),
            memory.request.valid.eq(Mux(done, port.request.valid, asking)),
            port.request.ready.eq(memory.request.ready & done),
            memory.read.ready.eq(Mux(done, port.read.ready, reading)),
            port.read.valid.eq(memory.read.valid & done),
            port.read.payload.eq(memory.read.payload),
            memory.write.valid.eq(Mux(done, port.write.valid, writing)),
            memory.write.payload.eq(Mux(done, port.write.payload, pattern)),
            port.write.ready.eq(memory.write.ready & done),
        ]
        with m.If(done):
            m.d.comb += memory.request.payload.eq(port.request.payload)
        with m.Else():
            m.d.comb += [
                memory.request.payload.address.eq(place),
                memory.request.payload.count.eq(1),
            ]

        with m.FSM():
            with m.State("ASK TO WRITE"):
                m.d.comb += [asking.eq(memory.ready), memory.request.payload.write.eq(1)]
                with m.If(asking & memory.request.ready):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += writing.eq(1)
                with m.If(memory.write.ready):
                    m.d.sync += [place.eq(place >> 1), number.eq(number + 1)]
                    m.next = "ASK TO WRITE"
                    with m.If(place == 0):
                        m.d.sync += [place.eq(0), number.eq(number)]
                        m.next = "ASK TO READ"
            with m.State("ASK TO READ"):
                m.d.comb += asking.eq(1)
                with m.If(memory.request.ready):
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += reading.eq(1)
                with m.If(memory.read.valid):
                    with m.If((memory.read.payload != pattern) & (place < found)):
                        m.d.sync += found.eq(place)
                    m.d.sync += [
                        place.eq(Cat(place == 0, place)),
                        number.eq(number - 1),
                    ]
                    m.next = "ASK TO READ"
                    with m.If(place[highest]):
                        m.d.sync += [place.eq(1 << highest), number.eq(0), inverted.eq(1)]
                        m.next = "ASK TO WRITE"
                        with m.If(inverted):
                            m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += done.eq(1)
        return m
