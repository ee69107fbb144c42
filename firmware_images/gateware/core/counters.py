"""The counters that the core keeps, as numbered in the wire protocol.

It knows events; it does not know what causes them.
"""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.contract.wire import Counter
from edge_sdk.firmware_images.gateware.core.adder import add_carry


class Counters(wiring.Component):
    """32 bits each, free-running. An event counts in the cycle after it."""

    def __init__(self) -> None:
        super().__init__(
            {
                "busy": In(1),
                "word": In(1),
                "stream_stall": In(1),
                "array_stall": In(1),
                "element": In(1),
                "refresh": In(1),
                "saturated": In(2),
                "values": Out(data.ArrayLayout(32, len(Counter))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Saturations come two at a time."""
        m = Module()
        events = {
            Counter.BUSY: self.busy,
            Counter.STREAM_WORDS: self.word,
            Counter.STREAM_STALLS: self.stream_stall,
            Counter.ARRAY_STALLS: self.array_stall,
            Counter.VECTOR_WORDS: self.element,
            Counter.REFRESHES: self.refresh,
        }
        for counter, event in events.items():
            happened = Signal(name=counter.name.lower())
            m.d.sync += [
                happened.eq(event),
                self.values[counter].eq(self.values[counter] + happened),
            ]
        saturations = self.values[Counter.SATURATIONS]
        m.d.sync += saturations.eq(add_carry(saturations, self.saturated[0], self.saturated[1]))
        return m
