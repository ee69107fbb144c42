"""The ports through which the processor reaches everything around it.

It knows numbers and the rules of one transfer; it does not know what the program does with them.
"""

from __future__ import annotations

from enum import IntEnum, unique

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.contract.wire import Counter

PORT_BITS = 6


@unique
class Input(IntEnum):
    """What can be read. Those of 32 bits are two halves, low first."""

    STATUS = 0
    FRAME_COUNT = 1
    CYCLES_LOW = 2
    """Reading it keeps the high half that goes with it for CYCLES_HIGH."""
    CYCLES_HIGH = 3
    MEMORY_DATA = 8
    """The next halfword of a READ_MEMORY; waits for it."""
    FOUND_LOW = 9
    FOUND_HIGH = 10
    CRC_LOW = 11
    CRC_HIGH = 12
    CODE = 16
    """wire.Code in the high byte."""
    FAULT_LOW = 17
    FAULT_HIGH = 18
    MANTISSA_LOW = 19
    MANTISSA_HIGH = 20
    SHIFT = 21
    TOP_COUNT = 22
    TOP_ROW = 23
    TOP_SUM_LOW = 24
    TOP_SUM_HIGH = 25
    RAM_DATA = 26
    COUNTER = 32
    """And what follows: the core's counters, two ports each, in wire.Counter's order."""


class Status(IntEnum):
    """Bits of Input.STATUS."""

    FRAME_ENDED = 0
    FRAME_GOOD = 1
    SENDING = 2
    LINE_IDLE = 3
    SCL = 4
    SDA = 5
    MEMORY_READY = 8
    MEMORY_BUSY = 9
    """A request has not been taken yet, or its CRC is not complete."""
    MEMORY_VALID = 10
    """MEMORY_DATA would not wait."""
    TASK_RUNS = 11


@unique
class Output(IntEnum):
    """What can be written."""

    NEXT_FRAME = 0
    SEND_END = 1
    SEND_FIRST = 2
    """Begins to send. Both count bytes of the buffer."""
    DIVISOR = 3
    I2C = 4
    """Bit 0 pulls SCL low, bit 1 SDA."""
    MEMORY_LOW = 8
    MEMORY_HIGH = 9
    """Halfword address of the next request."""
    READ_MEMORY = 10
    """Asks for so many halfwords."""
    CRC_MEMORY = 11
    """Asks for so many halfwords and puts them through the CRC."""
    WRITE_MEMORY = 12
    MEMORY_DATA = 13
    """The next halfword of a WRITE_MEMORY; waits until it is taken."""
    CLEAR_CRC = 14
    WORD = 16
    """The next halfword of an instruction, or of a program's address, low first."""
    ARGUMENT = 17
    """A token; an element of a RAM; an index into the list of scores."""
    TOP_K = 18
    TASK = 19
    """Starts a task; memory belongs to the core until it ends."""
    ABORT = 20
    RELEASE = 21
    """Memory belongs to the link again, whether the core has ended or not."""
    RAM = 22
    RAM_DATA = 23


CORE_COUNTERS = tuple(c for c in Counter if Counter.BUSY <= c <= Counter.SATURATIONS)
"""Those that the core counts; the link counts the others."""


class BusSignature(wiring.Signature):
    """Ports as the processor sees them: `write` or `read` with `port` for one cycle, or until
    `wait` is low."""

    def __init__(self) -> None:
        super().__init__(
            {
                "port": Out(PORT_BITS),
                "write": Out(1),
                "data": Out(16),
                "read": Out(1),
                "value": In(16),
                "wait": In(1),
            }
        )
