"""TMV: a ternary matrix, and the scale of its sums.

It knows TMV in docs/accelerator-isa.md; it does not know how sums are made or kept.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract.geometry import MAX_TOP_K, Geometry
from edge_sdk.firmware_images.contract.isa import Flag, Op
from edge_sdk.firmware_images.gateware.core.assembler import Assembler
from edge_sdk.firmware_images.gateware.core.control import Alu, Condition, Half, Inlet, Outlet
from edge_sdk.firmware_images.gateware.core.microcode import checks
from edge_sdk.firmware_images.gateware.core.microcode.checks import BORROW_BAD, ZERO_BAD
from edge_sdk.firmware_images.gateware.core.microcode.quantise import FIVE, ratio
from edge_sdk.firmware_images.gateware.core.microcode.registers import (
    COLUMNS,
    ENCODING,
    EXPONENT,
    EXTRA,
    FACTOR,
    HALF_SHIFT,
    LARGEST,
    OFFSET,
    OP,
    OPERANDS,
    RATIO,
    ROW,
    STALE,
    T0,
    T1,
    T4,
    N,
    mode,
)

_MAX_SHIFT = 40
_ROWS = EXTRA


def write(a: Assembler, geometry: Geometry) -> None:
    """TMV from its label on."""
    _check(a)
    a.put(Outlet.FACTOR, ROW)
    a.put(Outlet.MULTIPLY, _ROWS)
    a.pause()
    a.copy(T0, Half.LOW)
    a.copy(T1, Half.HIGH)
    checks.reach(a, geometry, T0, T1)
    a.put(Outlet.COLUMNS, N, when=BORROW_BAD)
    a.put(Outlet.READ, 1)
    a.put(Outlet.ROWS, _ROWS)
    a.put(Outlet.ARRAY, 0)
    checks.last(a, _ROWS)
    # The first sum is some words away.
    _mantissa(a)
    _shift(a)
    _best(a)
    _store(a)


def _check(a: Assembler) -> None:
    checks.begin(a, Op.TMV.name)
    a.load(_ROWS)
    a.load(COLUMNS, when=ZERO_BAD)
    a.subtract(N)
    a.load(OP, unless=ZERO_BAD)
    a.mask(FIVE)
    a.subtract(ENCODING)
    a.load(OP, unless=ZERO_BAD)
    a.mask(Flag.TOP << 8)
    a.load(OPERANDS[0], unless=(Condition.ZERO, "reach"))
    a.subtract(_ROWS)
    a.subtract(OFFSET, when=BORROW_BAD)
    a.label("reach")


def _mantissa(a: Assembler) -> None:
    """M = (D * C + 2^15) >> 16 to T4 and the vector unit."""
    a.load(RATIO)
    a.subtract(STALE)
    a.load(RATIO, unless=(Condition.ZERO, "ratio"))
    ratio(a, "renewed")
    a.load(RATIO)
    a.label("ratio")
    a.put(Outlet.FACTOR, FACTOR, when=(Condition.ZERO, "extreme"))
    a.put(Outlet.MULTIPLY, RATIO)
    a.pause()
    a.load(Half.LOW)
    a.add(0x8000)
    a.load(Half.HIGH)
    a.do(Alu.ADD_CARRY, 0, when=(Condition.ALWAYS, "mantissa"))
    a.label("extreme")
    a.load(LARGEST)
    a.load(0, when=(Condition.ZERO, "mantissa"))
    a.load(FACTOR)
    a.label("mantissa")
    a.add(0, to=T4, out=Outlet.SCALE)


def _shift(a: Assembler) -> None:
    """A = t, from 0 to 40."""
    checks.shift_of(a)
    a.pause()
    a.load(Half.HIGH)
    a.add(0x200)
    a.mask(0x3FF)
    a.subtract(0x200)
    a.subtract(EXPONENT)
    a.add(HALF_SHIFT, to=T1)
    a.load(0, when=(Condition.NEGATIVE, "clamped"))
    a.load(T1)
    a.subtract(_MAX_SHIFT)
    a.load(T1, when=(Condition.NEGATIVE, "clamped"))
    a.load(_MAX_SHIFT)
    a.label("clamped")
    a.store(T1)


def _best(a: Assembler) -> None:
    a.load(OP)
    a.mask(Flag.TOP << 8)
    a.load(T1, when=(Condition.ZERO, "scaled"))
    a.put(Outlet.SHIFT, T1)
    a.put(Outlet.MANTISSA, T4)
    a.load(Inlet.TASK)
    a.mask(0x7F00, to=T1)
    a.subtract((MAX_TOP_K << 8) + 1)
    a.load(T1, when=(Condition.CARRY, "kept"))
    a.load(MAX_TOP_K << 8)
    a.label("kept")
    a.add(0, out=Outlet.TOP)
    a.put(Outlet.PASS, 1, when=(Condition.ALWAYS, "rest"))


def _store(a: Assembler) -> None:
    plain = {"sums": 1, "scale": 1, "store": 1}
    a.label("scaled")
    checks.round_shift(a, "sums")
    a.put(Outlet.OFFSET1, OFFSET)
    a.put(Outlet.TARGET, OFFSET)
    a.load(OP)
    a.mask(Flag.ADD << 8)
    a.put(Outlet.MODE, mode(**plain), when=(Condition.ZERO, "stored"))
    a.put(Outlet.MODE, mode(**plain, add=1))
    a.label("stored")
    a.put(Outlet.PASS, 0, when=(Condition.ALWAYS, "rest"))
