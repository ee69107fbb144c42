"""Puts frames on the line: bytes of a buffer, their CRC, COBS, the zero byte at the end.

It knows where a reply stands; it does not know what is in it.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

CRC_BYTES = 4
FULL = 255
"""The code of a COBS block of 254 bytes, which implies no zero."""


class FrameSender(wiring.Component):
    """Sends bytes `first` up to, not with, `end` after `start`; `busy` until the last has gone.

    Three passes: the CRC of all; then for each block of COBS its length; then its bytes.
    """

    def __init__(self, address_bits: int) -> None:
        self.address_bits = address_bits
        byte_bits = address_bits + 1
        super().__init__(
            {
                "start": In(1),
                "first": In(byte_bits),
                "end": In(byte_bits),
                "busy": Out(1),
                # The buffer: 16-bit words, one cycle after the address.
                "address": Out(address_bits),
                "word": In(16),
                "crc_feed": Out(1),
                "crc_clear": Out(1),
                "crc": In(32),
                "byte": Out(8),
                "bytes": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A byte takes three cycles: its address, its word, itself."""
        m = Module()
        at = Signal(self.address_bits + 1)
        tail = Signal(range(CRC_BYTES + 1))
        block = Signal.like(at)
        block_tail = Signal.like(tail)
        code = Signal(8)
        at_zero = Signal()
        # Since `at` changed; then the byte that belongs to it is there.
        age = Signal(2)
        settled = Signal()

        in_tail = Signal()
        finished = Signal()
        advance = Signal()
        m.d.comb += [
            in_tail.eq(at == self.end),
            finished.eq(in_tail & tail[-1]),
            self.address.eq(at[1:]),
            settled.eq(age.all()),
            self.busy.eq(1),
        ]
        m.d.sync += [
            age.eq(Mux(advance, 0, age << 1 | 1)),
            self.byte.eq(
                Mux(
                    in_tail,
                    self.crc.word_select(tail[:2], 8),
                    self.word.word_select(at[0], 8),
                )
            ),
        ]
        with m.If(advance):
            with m.If(in_tail):
                m.d.sync += tail.eq(tail + 1)
            with m.Else():
                m.d.sync += at.eq(at + 1)

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.busy.eq(0), self.crc_clear.eq(self.start)]
                m.d.sync += [at.eq(self.first), tail.eq(0), age.eq(0)]
                with m.If(self.start):
                    m.next = "SUM"
            with m.State("SUM"):
                with m.If(in_tail):
                    m.d.sync += [at.eq(self.first), age.eq(0)]
                    m.next = "BLOCK"
                with m.Elif(settled):
                    m.d.comb += [self.crc_feed.eq(1), advance.eq(1)]
            with m.State("BLOCK"):
                m.d.sync += [block.eq(at), block_tail.eq(tail), code.eq(1)]
                m.next = "SCAN"
            with m.State("SCAN"), m.If(settled):
                with m.If(finished | (code == FULL) | (self.byte == 0)):
                    m.d.sync += at_zero.eq(~finished & (code != FULL))
                    m.next = "CODE"
                with m.Else():
                    m.d.comb += advance.eq(1)
                    m.d.sync += code.eq(code + 1)
            with m.State("CODE"):
                m.d.comb += [self.bytes.payload.eq(code), self.bytes.valid.eq(1)]
                with m.If(self.bytes.ready):
                    m.d.sync += [
                        at.eq(block),
                        tail.eq(block_tail),
                        code.eq(code - 1),
                        age.eq(0),
                    ]
                    m.next = "BYTES"
            with m.State("BYTES"), m.If(settled):
                with m.If(code == 0):
                    m.d.comb += advance.eq(at_zero)
                    with m.If(finished):
                        m.next = "END"
                    with m.Else():
                        m.next = "BLOCK"
                with m.Else():
                    m.d.comb += [self.bytes.payload.eq(self.byte), self.bytes.valid.eq(1)]
                    with m.If(self.bytes.ready):
                        m.d.comb += advance.eq(1)
                        m.d.sync += code.eq(code - 1)
            with m.State("END"):
                m.d.comb += self.bytes.valid.eq(1)
                with m.If(self.bytes.ready):
                    m.next = "IDLE"
        return m
