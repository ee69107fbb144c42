"""Serial bits to bytes and back: 8 data bits, no parity, one stop bit.

It knows the line and how long a bit is; it does not know what the bytes mean.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

DIVISOR_BITS = 16
MIN_DIVISOR = 4
"""Clock cycles a bit; below it a sample in the middle of a bit is none."""


class UartReceiver(wiring.Component):
    """Samples the middle of each bit. `valid` is high for one cycle with each whole byte.

    A byte begins with an edge, and one whose stop bit is low is dropped: a break, another rate.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "divisor": In(DIVISOR_BITS),
                "pin": In(1),
                "data": Out(8),
                "valid": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One timer, reloaded at each sample."""
        m = Module()
        timer = Signal(DIVISOR_BITS)
        bits = Signal(range(10))
        busy = Signal()
        before = Signal()
        sample = Signal()
        m.d.comb += sample.eq(busy & (timer == 1))
        m.d.comb += self.valid.eq(sample & (bits == 9) & self.pin)

        m.d.sync += before.eq(self.pin)
        with m.If(~busy):
            m.d.sync += [busy.eq(before & ~self.pin), bits.eq(0), timer.eq(self.divisor >> 1)]
        with m.Elif(sample):
            m.d.sync += [timer.eq(self.divisor), bits.eq(bits + 1)]
            with m.If(bits != 9):
                m.d.sync += self.data.eq(Cat(self.data[1:], self.pin))
            # A start bit that does not last is noise; after the stop bit the next byte may begin.
            with m.If(((bits == 0) & self.pin) | (bits == 9)):
                m.d.sync += busy.eq(0)
        with m.Else():
            m.d.sync += timer.eq(timer - 1)
        return m


class UartTransmitter(wiring.Component):
    """Sends the bytes of a stream; `idle` when nothing is on the line."""

    def __init__(self) -> None:
        super().__init__(
            {
                "divisor": In(DIVISOR_BITS),
                "bytes": In(stream.Signature(8)),
                "pin": Out(1, init=1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A shift register that ends with a one: the stop bit that has been sent."""
        m = Module()
        shift = Signal(10)
        timer = Signal(DIVISOR_BITS)
        m.d.comb += self.idle.eq(shift == 0)
        m.d.comb += self.bytes.ready.eq(self.idle)
        with m.If(self.idle), m.If(self.bytes.valid):
            # Start bit now; then the data, the stop bit, and zeros behind it.
            m.d.sync += [
                self.pin.eq(0),
                shift.eq(Cat(self.bytes.payload, Const(1, 1), Const(1, 1))),
                timer.eq(self.divisor),
            ]
        with m.Elif(timer == 1):
            m.d.sync += [timer.eq(self.divisor), shift.eq(shift >> 1)]
            with m.If(shift != 1):
                m.d.sync += self.pin.eq(shift[0])
        with m.Else():
            m.d.sync += timer.eq(timer - 1)
        return m
