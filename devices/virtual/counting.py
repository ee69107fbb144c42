"""Performance counters of the integer engine: what the hardware would have counted.

It knows wire.Counter and what each instruction adds; it does not know frames.
"""

from __future__ import annotations

import time

from edge_sdk.devices.board.cycles import cycles_of
from edge_sdk.devices.board.operands import memory_span
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.isa import Instruction, Op
from edge_sdk.firmware_images.contract.wire import Code, Counter

WATCHDOG_CYCLES = 1 << 27
"""A program that runs longer is ended."""
_MASK = 0xFFFF_FFFF


class Counting:
    """Adds up cycles and words; stops a program that runs too long."""

    def __init__(self, geometry: Geometry, clock_hz: int) -> None:
        self._geometry = geometry
        self._clock_hz = clock_hz
        self._power_on = time.monotonic()
        self._program = 0
        self.busy = 0
        """Cycles in which programs ran."""
        self.stream_words = 0
        self.vector_words = 0

    def begin(self) -> None:
        """A program starts."""
        self._program = 0

    def charge(self, one: Instruction) -> int:
        """Cycles of an instruction about to run; raises Refused(WATCHDOG)."""
        cycles = cycles_of(one, self._geometry)
        self._program += cycles
        if self._program > WATCHDOG_CYCLES:
            raise Refused(Code.WATCHDOG, 0, "the program ran longer than the watchdog allows.")
        self.busy += cycles
        if one.op == Op.TMV:
            span = memory_span(one, self._geometry)[1]
            self.stream_words += span // self._geometry.halfwords_per_word
        elif one.op != Op.HALT:
            self.vector_words += one.n
        return cycles

    def read(self, saturations: int, frames: int, errors: int) -> list[int]:
        """All counters in wire order, 32 bits each."""
        running = int((time.monotonic() - self._power_on) * self._clock_hz)
        values = {
            # The engine's time is the host's, or the board's where that is longer.
            Counter.CYCLES: max(running, self.busy),
            Counter.BUSY: self.busy,
            Counter.STREAM_WORDS: self.stream_words,
            Counter.VECTOR_WORDS: self.vector_words,
            Counter.SATURATIONS: saturations,
            Counter.FRAMES: frames,
            Counter.FRAME_ERRORS: errors,
        }
        # Stalls and refreshes are the memory's, which this engine does not model.
        return [values.get(counter, 0) & _MASK for counter in Counter]
