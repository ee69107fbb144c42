"""A serial port as two streams of bytes, with buffers and a rate that can change.

It knows the line, its rate and what a break is; it does not know frames.
"""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out, connect, flipped

from edge_sdk.firmware_images.contract.wire import RECEIVE_BUFFER
from edge_sdk.firmware_images.gateware.link.byte_queue import ByteQueue
from edge_sdk.firmware_images.gateware.link.uart import (
    DIVISOR_BITS,
    UartReceiver,
    UartTransmitter,
)

BREAK_CYCLES = 1 << 22


class SerialPort(wiring.Component):
    """UART with 512 bytes of buffer either way; what finds the receive buffer full is lost.

    `set_divisor` changes the rate at once. A line that is low for `break_cycles` (a power of two)
    sets the default again.
    """

    def __init__(self, default_divisor: int, break_cycles: int = BREAK_CYCLES) -> None:
        self.default_divisor = default_divisor
        self.break_bits = break_cycles.bit_length() - 1
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "received": Out(stream.Signature(8)),
                "sent": In(stream.Signature(8)),
                "divisor": In(DIVISOR_BITS),
                "set_divisor": In(1),
                # Nothing waits to be sent or is being sent.
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two UART halves, two queues, the rate."""
        m = Module()
        rx = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)
        m.submodules.receiver = receiver = UartReceiver()
        m.submodules.transmitter = transmitter = UartTransmitter()
        m.submodules.received = received = ByteQueue(RECEIVE_BUFFER)
        m.submodules.sent = sent = ByteQueue(RECEIVE_BUFFER)

        divisor = Signal(DIVISOR_BITS, init=self.default_divisor)
        low = Signal(self.break_bits + 1)
        with m.If(rx):
            m.d.sync += low.eq(0)
        with m.Elif(~low[-1]):
            m.d.sync += low.eq(low + 1)
        with m.If(low[-1]):
            m.d.sync += divisor.eq(self.default_divisor)
        with m.Elif(self.set_divisor):
            m.d.sync += divisor.eq(self.divisor)

        m.d.comb += [
            receiver.divisor.eq(divisor),
            receiver.pin.eq(rx),
            received.input.payload.eq(receiver.data),
            received.input.valid.eq(receiver.valid),
            transmitter.divisor.eq(divisor),
            self.tx.eq(transmitter.pin),
            self.idle.eq(transmitter.idle & sent.empty),
        ]
        connect(m, received.output, flipped(self.received))
        connect(m, flipped(self.sent), sent.input)
        connect(m, sent.output, transmitter.bytes)
        return m
