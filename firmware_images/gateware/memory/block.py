"""Memory in block RAM: models small enough to stay on the chip, and tests.

It knows MemorySignature; it does not know what the words mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In
from amaranth.utils import ceil_log2

from edge_sdk.firmware_images.gateware.memory.queue import ReservedQueue
from edge_sdk.firmware_images.gateware.ports import MemorySignature


class BlockMemory(wiring.Component):
    """A word a cycle in both directions.

    A deep memory is many block RAMs, spread over the chip, and a multiplexer: hence a register on
    every way to and from them, and a queue instead of an enable that would have to reach them all.

    Args:
        memory_bits: width of a word.
        words: how many there are; also what `found` says.
        contents: of the first words; the others are 0.
    """

    def __init__(self, memory_bits: int, words: int, contents: Sequence[int] = ()) -> None:
        if len(contents) > words:
            raise ValueError(f"{len(contents)} words of contents do not fit {words} words")
        self.memory_bits = memory_bits
        self.words = words
        self.contents = contents
        self.address_bits = ceil_log2(words)
        super().__init__({"port": In(MemorySignature(memory_bits, self.address_bits))})

    def elaborate(self, platform: object) -> Module:
        """One counter of words to go for both directions."""
        m = Module()
        # A request is over before the next one begins, so nobody reads what is being written; see
        # array/activations.py for how synthesis is told.
        store = Memory(
            shape=self.memory_bits,
            depth=self.words,
            init=self.contents,
            attrs={"no_rw_check": 1},
        )
        m.submodules.store = store
        m.submodules.queue = queue = ReservedQueue(self.memory_bits)
        read, write = store.read_port(domain="comb"), store.write_port()
        port = self.port
        wiring.connect(m, queue.output, wiring.flipped(port.read))
        address = Signal(self.address_bits)
        left = Signal(self.address_bits + 1)
        writing = Signal()
        fetch, keep, fetched = Signal(), Signal(), Signal()
        word = Signal(self.memory_bits, reset_less=True)

        m.d.comb += [
            port.ready.eq(1),
            port.found.eq(self.words),
            port.request.ready.eq((left == 0) & queue.vacant),
            port.write.ready.eq((left != 0) & writing),
            keep.eq(port.write.valid & port.write.ready),
            fetch.eq((left != 0) & ~writing & queue.room),
            queue.reserve.eq(fetch),
            read.addr.eq(address),
        ]
        m.d.sync += [
            write.addr.eq(address),
            write.data.eq(port.write.payload),
            write.en.eq(keep),
            word.eq(read.data),
            fetched.eq(fetch),
            queue.item.eq(word),
            queue.push.eq(fetched),
        ]
        with m.If(port.request.valid & port.request.ready):
            m.d.sync += [
                address.eq(port.request.payload.address),
                left.eq(port.request.payload.count),
                writing.eq(port.request.payload.write),
            ]
        with m.Elif(fetch | keep):
            m.d.sync += [address.eq(address + 1), left.eq(left - 1)]
        return m
