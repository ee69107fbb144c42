"""What the sequencer says to the rest of the core, and hears from it: numbers and layouts.

It knows names and bit positions; it does not know who drives them.
"""

from __future__ import annotations

from enum import IntEnum

from amaranth.hdl import signed
from amaranth.lib import data

from edge_sdk.firmware_images.contract.geometry import ACCUMULATOR_BITS

TOTAL = data.StructLayout({"row": 16, "sum": signed(ACCUMULATOR_BITS)})
"""A sum of the ternary array, as in ports.ArraySignature."""

ACTIVATION = data.StructLayout({"value": signed(8), "last": 1})
"""An activation for the ternary array, as there."""

VECTOR_MODE = data.StructLayout(
    {
        # Where an element comes from.
        "memory": 1,  # a halfword of memory goes with each element
        "byte": 1,  # ... no: one of its two bytes
        "unit": 1,  # ... no memory: the number one instead
        "sums": 1,  # elements are sums of the ternary array
        "two": 1,  # the second operand is read too
        "three": 1,  # ... and the third: the recurrence
        # What it is multiplied with.
        "scale": 1,  # the scale register takes the first operand's place
        "act": 1,  # the sigmoid of the first operand
        "sigmoid": 1,  # ... and nothing but it, mixed with the bound
        # Where the result goes.
        "add": 1,  # the first operand is added
        "store": 1,
        "dst": 2,  # 0 to 2: the RAM of the first, second, third operand
        "quantise": 1,  # to the activation memory
    }
)
"""How the vector unit treats the elements of a pass."""


class Inlet(IntEnum):
    """The 16-bit numbers that the sequencer can read."""

    INSTRUCTION0 = 0
    """The first of the eight halfwords that EXECUTE brings; the others follow."""
    INSTRUCTION1 = 1
    INSTRUCTION2 = 2
    INSTRUCTION3 = 3
    INSTRUCTION4 = 4
    INSTRUCTION5 = 5
    INSTRUCTION6 = 6
    INSTRUCTION7 = 7
    MEMORY = 8
    """The next halfword of memory; reading takes it."""
    QUOTIENT = 9
    LARGEST_LOW = 10
    LARGEST_HIGH = 11
    OWN0 = 12
    OWN1 = 13
    OWN2 = 14
    SQUARES0 = 15
    SQUARES1 = 16
    SQUARES2 = 17
    FOUND_LOW = 18
    """Halfwords of memory."""
    FOUND_HIGH = 19
    TOKEN = 20
    TASK = 21
    """ports.Task; BUSY; ABORTED; the task's top_k from bit 8 on."""
    START_LOW = 22
    """Where the task's program begins."""
    START_HIGH = 23


BUSY = 1 << 6
"""In Inlet.TASK: there is a task."""
ABORTED = 1 << 7
"""In Inlet.TASK: the task was aborted and is not done yet."""


class Outlet(IntEnum):
    """Where the sequencer can write 16 bits."""

    NONE = 0
    FACTOR = 1
    """One side of the multiplier; it stays."""
    MULTIPLY = 2
    """The other side; the product can be read two steps later."""
    QUOTIENT = 3
    ADDRESS_LOW = 4
    ADDRESS_HIGH = 5
    COUNT_LOW = 6
    """Halfwords, a whole number of memory words."""
    COUNT_HIGH = 7
    READ = 8
    """Asks memory; for the array if bit 0 is set, else for the sequencer and the vector unit."""
    RAMS = 9
    """An instruction's last halfword: the RAMs of its operands."""
    OFFSET1 = 10
    OFFSET2 = 11
    OFFSET3 = 12
    TARGET = 13
    """Offset of the result."""
    LAST = 14
    """Elements of a pass, less one."""
    MODE = 15
    """VECTOR_MODE."""
    SCALE = 16
    ONE_HOT = 17
    """2^j, by which the first operand, or the scale, is multiplied."""
    DROP = 18
    """How many bits of the product are dropped: 0, 16, 32 or 40, as 0 to 3."""
    PASS = 19
    """Starts a pass; bit 0: its sums go to the top k."""
    COLUMNS = 20
    ROWS = 21
    FIVE = 22
    """An instruction's first halfword, for its FIVE_TRITS."""
    ARRAY = 23
    """Starts the array."""
    TOP = 24
    """Empties the top k and sets their number."""
    MANTISSA = 25
    SHIFT = 26
    ACCEPT = 27
    """Takes the task."""
    FAULT_LOW = 28
    FAULT_HIGH = 29
    DONE = 30
    """Ends the task, with its code."""
    STOP = 31
    """Forgets a pass, the array's work and all words of memory still to come."""


class Condition(IntEnum):
    """What a step can jump on."""

    ALWAYS = 0
    ZERO = 1
    """The accumulator is 0."""
    CARRY = 2
    """The last sum carried, the last difference borrowed."""
    NEGATIVE = 3
    """Bit 15 of the accumulator."""


class Event(IntEnum):
    """What a step can wait for."""

    IDLE = 0
    """No pass is under way and the array is at rest."""
    MEMORY = 1
    """A halfword of memory has come."""
    TASK = 2
    ASKED = 3
    """The last request was taken by memory."""
    QUIET = 4
    """... and all its words have come."""


class Alu(IntEnum):
    """What becomes of accumulator A and source B.

    Bits of the first five: use A, invert B, use the carry.
    """

    LOAD = 0
    """B"""
    ADD = 1
    """A + B"""
    SUBTRACT = 3
    """A - B"""
    ADD_CARRY = 5
    """A + B + carry"""
    SUBTRACT_BORROW = 7
    """A - B - borrow"""
    AND = 8
    BIT = 9
    """2^(B mod 16)"""
    LENGTH = 10
    """Bit length of B."""
    DIVIDE = 11
    """One step of a division of A and the quotient register by B."""


class Source(IntEnum):
    """Where B comes from."""

    REGISTER = 0
    OPERAND = 1
    """The register among four that the RAM number of an operand picks."""
    NUMBER = 2
    INLET = 3
    PRODUCT = 4
    """The low or the high half of the product: on a way of its own, for it is late in a cycle."""


class Half(IntEnum):
    """Of the product."""

    LOW = 0
    HIGH = 1


class Flow(IntEnum):
    """What a step does with its condition, or waits for."""

    NEXT = 0
    WAIT = 1
    JUMP = 2
    JUMP_UNLESS = 3


STEP = data.StructLayout(
    {
        "number": 16,
        "from": 5,  # the source's register, operand, inlet or half
        "to": 5,  # the register written
        "port": 5,  # the outlet
        "alu": 4,
        "source": 3,
        "keep": 1,  # leave the accumulator
        "write": 1,  # the register takes the result
        "out": 1,  # the outlet takes the result
        "condition": 3,  # or event
        "flow": 2,
        "target": 10,
        "indexed": 1,  # the accumulator's low five bits replace the target's
    }
)
"""One step of the sequencer's program."""
STEPS = 1 << 10
