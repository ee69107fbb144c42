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

from edge_sdk.firmware_images.gateware.ports import MemorySignature


class BlockMemory(wiring.Component):
    """A word a cycle in both directions; the first word two cycles after its request.

    The last stage before `port.read` is a register: a deep memory is many block RAMs and a
    multiplexer, which would otherwise stand in the path of whoever reads.

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
        m.submodules.store = store = Memory(
            shape=self.memory_bits, depth=self.words, init=self.contents
        )
        read, write = store.read_port(), store.write_port()
        port = self.port
        address = Signal(self.address_bits)
        left = Signal(self.address_bits + 1)
        writing = Signal()
        fetched = Signal()  # read.data is a word of the request
        move = Signal()
        step = Signal()

        m.d.comb += [
            port.ready.eq(1),
            port.found.eq(self.words),
            port.request.ready.eq((left == 0) & ~fetched & ~port.read.valid),
            port.write.ready.eq((left != 0) & writing),
            write.addr.eq(address),
            write.data.eq(port.write.payload),
            write.en.eq(port.write.valid & port.write.ready),
            read.addr.eq(address),
            # Never with write.en: else block RAMs get logic around them for that case.
            read.en.eq(move & ~writing),
            move.eq(~port.read.valid | port.read.ready),
            step.eq((left != 0) & (write.en | (move & ~writing))),
        ]
        with m.If(move):
            m.d.sync += [
                fetched.eq((left != 0) & ~writing),
                port.read.valid.eq(fetched),
                port.read.payload.eq(read.data),
            ]
        with m.If(port.request.valid & port.request.ready):
            m.d.sync += [
                address.eq(port.request.payload.address),
                left.eq(port.request.payload.count),
                writing.eq(port.request.payload.write),
            ]
        with m.Elif(step):
            m.d.sync += [address.eq(address + 1), left.eq(left - 1)]
        return m
