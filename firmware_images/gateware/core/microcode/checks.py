"""What instructions are refused for, in steps. All jump to `bad`.

It knows the limits of a geometry; it does not know instructions.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.gateware.core.assembler import Assembler, Input, Register
from edge_sdk.firmware_images.gateware.core.control import Alu, Condition, Inlet, Outlet
from edge_sdk.firmware_images.gateware.core.microcode.registers import (
    ADDRESS,
    ADDRESS_HIGH,
    LAST,
    OPERANDS,
    T0,
    T1,
    T2,
    T3,
    N,
)

ZERO_BAD = (Condition.ZERO, "bad")
BORROW_BAD = (Condition.CARRY, "bad")
"""For the step after a check, unless that is another check: its difference must not borrow."""
SHIFT_STEP = 1 << 6
"""One of an instruction's shift, in its last halfword."""


def begin(a: Assembler, name: str) -> None:
    """The instruction's label; A holds the flags that it must not have. Then n, not to be 0.

    No borrow is left: the next step may take BORROW_BAD, as all checks below do.
    """
    a.label(name)
    a.load(N, unless=ZERO_BAD)
    a.add(0, when=ZERO_BAD)


def operand(a: Assembler, index: int, offset: Register, count: Register = N) -> None:
    """Elements within a RAM."""
    a.load(OPERANDS[index], when=BORROW_BAD)
    a.subtract(count)
    a.subtract(offset, when=BORROW_BAD)


def shift_below(a: Assembler, limit: int) -> None:
    """0 <= shift < limit; a negative shift is a large number here."""
    a.load(LAST, when=BORROW_BAD)
    a.subtract(limit * SHIFT_STEP)
    a.load(0, unless=BORROW_BAD)
    a.subtract(0)


def halfwords(a: Assembler, geometry: Geometry) -> Register:
    """The register that holds how many halfwords a vector of n elements takes in memory."""
    unit = geometry.halfwords_per_word
    if unit == 1:
        return N
    a.load(N, when=BORROW_BAD)
    round_up(a, unit)
    return T0


def round_up(a: Assembler, unit: int) -> None:
    """T0 = A, rounded up to whole memory words."""
    a.add(unit - 1)
    a.mask(-unit, to=T0)


def reach(a: Assembler, geometry: Geometry, count: Register, count_high: Input = 0) -> None:
    """Set the request to `count` halfwords at `address`, which is aligned and within memory.

    T2 and T3 are lost.
    """
    a.load(ADDRESS, out=Outlet.ADDRESS_LOW, when=BORROW_BAD)
    unit = geometry.halfwords_per_word
    if unit > 1:
        a.mask(unit - 1)
        a.load(ADDRESS, unless=ZERO_BAD)
    a.add(count, to=T2)
    a.load(ADDRESS_HIGH, out=Outlet.ADDRESS_HIGH)
    a.do(Alu.ADD_CARRY, count_high, to=T3)
    a.put(Outlet.COUNT_LOW, count, when=BORROW_BAD)
    a.put(Outlet.COUNT_HIGH, count_high)
    a.load(Inlet.FOUND_LOW)
    a.subtract(T2)
    a.load(Inlet.FOUND_HIGH)
    a.do(Alu.SUBTRACT_BORROW, T3)


def last(a: Assembler, count: Register = N) -> None:
    """A pass of `count` elements."""
    a.load(count)
    a.subtract(1, out=Outlet.LAST)


def shift_of(a: Assembler) -> None:
    """The product's high half becomes the instruction's shift, as 10 bits, two steps later."""
    a.put(Outlet.FACTOR, 65536 // SHIFT_STEP)
    a.put(Outlet.MULTIPLY, LAST)


def halve(a: Assembler, source: Register) -> None:
    """The product's high half becomes source / 2, two steps later."""
    a.put(Outlet.FACTOR, 0x8000)
    a.put(Outlet.MULTIPLY, source)


def round_shift(a: Assembler, name: str) -> None:
    """Set the vector unit to `>>r A`, 0 <= A <= 40. T0 and T1 are lost."""
    a.store(T0)
    a.put(Outlet.ONE_HOT, 1, when=(Condition.ZERO, f"{name}_none"))
    a.load(0)
    a.subtract(T0, to=T1)
    a.do(Alu.BIT, T1, out=Outlet.ONE_HOT)
    a.load(T0)
    a.subtract(17)
    a.put(Outlet.DROP, 1, when=(Condition.CARRY, f"{name}_set"))
    a.subtract(16)
    a.put(Outlet.DROP, 2, when=(Condition.CARRY, f"{name}_set"))
    a.load(8)
    a.subtract(T0, to=T1)
    a.do(Alu.BIT, T1, out=Outlet.ONE_HOT)
    a.put(Outlet.DROP, 3, when=(Condition.ALWAYS, f"{name}_set"))
    a.label(f"{name}_none")
    a.put(Outlet.DROP, 0)
    a.label(f"{name}_set")
