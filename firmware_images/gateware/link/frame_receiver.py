"""Takes frames apart: COBS to bytes in a buffer, with the CRC checked in passing.

It knows where frames end; it does not know what is in them.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class FrameReceiver(wiring.Component):
    """Writes a frame's bytes to 1, 2, … of a buffer; byte 0 is left alone, so that the fields of
    two bytes that follow the type stand at even places.

    At the zero byte that ends a frame, `ended` rises and nothing more is taken until `go_on`.
    `good`: well-formed COBS, not longer than the buffer, and the CRC right. `count`: index of the
    byte after the last one. Empty frames are passed over.
    """

    def __init__(self, buffer_bytes: int) -> None:
        self.buffer_bytes = buffer_bytes
        super().__init__(
            {
                "bytes": In(stream.Signature(8)),
                # The buffer cannot be written in this cycle.
                "hold": In(1),
                "write": Out(1),
                "data": Out(8),
                "count": Out(range(buffer_bytes + 1), init=1),
                "crc_good": In(1),
                "go_on": In(1),
                "ended": Out(1),
                "good": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A byte every two cycles: it is kept, then used.

        The code byte of a block emits the zero that the block before implied.
        """
        m = Module()
        remaining = Signal(8)
        zero_due = Signal()
        started = Signal()
        malformed = Signal()

        byte = Signal(8)
        kept = Signal()
        take = Signal()
        at_code = Signal()
        emit = Signal()
        full = Signal()
        m.d.comb += [
            self.bytes.ready.eq(~kept),
            take.eq(kept & ~self.ended & ~self.hold),
            at_code.eq(remaining == 0),
            emit.eq(take & (byte != 0) & (~at_code | zero_due)),
            full.eq(self.count == self.buffer_bytes),
            self.write.eq(emit & ~full),
            self.data.eq(Mux(at_code, 0, byte)),
            self.good.eq(self.crc_good & ~malformed),
        ]
        with m.If(~kept):
            m.d.sync += [kept.eq(self.bytes.valid), byte.eq(self.bytes.payload)]
        with m.Elif(take):
            m.d.sync += kept.eq(0)
        with m.If(self.write):
            m.d.sync += self.count.eq(self.count + 1)
        with m.If(emit & full):
            m.d.sync += malformed.eq(1)
        with m.If(take):
            with m.If(byte == 0):
                m.d.sync += self.ended.eq(started)
                with m.If(~at_code):
                    m.d.sync += malformed.eq(1)
            with m.Elif(at_code):
                m.d.sync += [remaining.eq(byte - 1), zero_due.eq(byte != 255), started.eq(1)]
            with m.Else():
                m.d.sync += remaining.eq(remaining - 1)
        with m.If(self.go_on):
            m.d.sync += [
                self.ended.eq(0),
                self.count.eq(1),
                remaining.eq(0),
                zero_due.eq(0),
                started.eq(0),
                malformed.eq(0),
            ]
        return m
