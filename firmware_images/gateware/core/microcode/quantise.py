"""QNT: the largest product in one pass, the activations in a second one.

It knows QNT in docs/accelerator-isa.md; it does not know matrices.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract.geometry import (
    DIGITS_PER_BYTE,
    TRITS_PER_BYTE,
    Geometry,
)
from edge_sdk.firmware_images.contract.isa import Flag, Op
from edge_sdk.firmware_images.gateware.core.assembler import Assembler
from edge_sdk.firmware_images.gateware.core.control import (
    Alu,
    Condition,
    Event,
    Half,
    Inlet,
    Outlet,
)
from edge_sdk.firmware_images.gateware.core.microcode import checks
from edge_sdk.firmware_images.gateware.core.microcode.checks import BORROW_BAD
from edge_sdk.firmware_images.gateware.core.microcode.registers import (
    COLUMNS,
    ENCODING,
    EXPONENT,
    LARGEST,
    OFFSET,
    OP,
    RATIO,
    ROOT,
    ROW,
    T0,
    N,
    mode,
)

FIVE = Flag.FIVE_TRITS << 8
_BYTES = 2
"""Of a halfword."""
_NUMERATOR_HIGH = 127 << 6
"""127 * 2^22 in halfwords."""


def write(a: Assembler, geometry: Geometry) -> None:
    """QNT from its label on."""
    _start(a, geometry)
    _rows(a, geometry)
    a.load(0, wait=Event.IDLE)
    a.put(Outlet.READ, 0)
    _scale(a)
    a.label("quantise")
    a.put(Outlet.MODE, mode(memory=1, quantise=1))
    a.put(Outlet.PASS, 0)
    ratio(a, "quantised")
    a.jump("rest")


def _start(a: Assembler, geometry: Geometry) -> None:
    checks.begin(a, Op.QNT.name)
    checks.operand(a, 0, OFFSET)
    a.load(OP, when=BORROW_BAD)
    a.mask(FIVE)
    a.load(min(geometry.max_columns(False), 0xFFFF), when=(Condition.ZERO, "columns"))
    a.load(min(geometry.max_columns(True), 0xFFFF))
    a.label("columns")
    a.subtract(N)
    checks.reach(a, geometry, checks.halfwords(a, geometry))
    a.put(Outlet.ONE_HOT, 1, when=BORROW_BAD)
    a.put(Outlet.READ, 0)
    a.put(Outlet.DROP, 0)
    a.put(Outlet.OFFSET1, OFFSET)
    a.put(Outlet.MODE, mode(memory=1))
    checks.last(a)
    a.put(Outlet.PASS, 0)


def _rows(a: Assembler, geometry: Geometry) -> None:
    """While the pass runs: what the matrices that follow have to fit, and how long a row is."""
    unit = geometry.halfwords_per_word
    a.put(Outlet.FIVE, OP)
    a.copy(COLUMNS, N)
    a.load(OP)
    a.mask(FIVE, to=ENCODING)
    # ceil(n / (4 or 5 weights a byte)) by a multiplication, exact for 16 bits, then in words.
    a.load(N, when=(Condition.ZERO, "digits"))
    a.add(TRITS_PER_BYTE * _BYTES * unit - 1, to=T0)
    a.put(Outlet.FACTOR, 0xCCCD)
    a.put(Outlet.MULTIPLY, T0)
    a.put(Outlet.FACTOR, 0x10000 // (8 * unit))
    a.put(Outlet.MULTIPLY, Half.HIGH, when=(Condition.ALWAYS, "row"))
    a.label("digits")
    a.load(N)
    a.add(DIGITS_PER_BYTE * _BYTES * unit - 1, to=T0)
    a.put(Outlet.FACTOR, 0x10000 // (DIGITS_PER_BYTE * _BYTES * unit))
    a.put(Outlet.MULTIPLY, T0)
    a.pause()
    a.label("row")
    a.load(Half.HIGH, to=ROW)
    for _ in range(unit.bit_length() - 1):
        a.add(ROW, to=ROW)


def _scale(a: Assembler) -> None:
    """e, mn and K, and the shift of the second pass."""
    a.load(Inlet.LARGEST_HIGH)
    a.do(Alu.LENGTH, Inlet.LARGEST_LOW, to=EXPONENT, unless=(Condition.ZERO, "wide"))
    a.load(15, unless=(Condition.ZERO, "narrow"))
    a.put(Outlet.SCALE, 0)
    a.copy(LARGEST, 0, when=(Condition.ALWAYS, "quantise"))
    a.label("wide")
    a.do(Alu.LENGTH, Inlet.LARGEST_HIGH)
    a.add(16, to=EXPONENT)
    a.load(15)
    a.label("narrow")
    a.subtract(EXPONENT, to=T0)
    a.do(Alu.BIT, T0, out=Outlet.ONE_HOT, keep=True)
    a.do(Alu.BIT, T0, out=Outlet.FACTOR, keep=True)
    a.put(Outlet.MULTIPLY, Inlet.LARGEST_LOW, when=(Condition.NEGATIVE, "shrink"))
    a.put(Outlet.DROP, 0)
    a.copy(LARGEST, Half.LOW, when=(Condition.ALWAYS, "factor"))
    a.label("shrink")
    a.put(Outlet.DROP, 1)
    a.load(Half.LOW)
    a.add(0x8000)
    a.load(Half.HIGH)
    a.do(Alu.ADD_CARRY, 0)
    a.put(Outlet.MULTIPLY, Inlet.LARGEST_HIGH)
    a.pause()
    a.add(Half.LOW, to=LARGEST)
    a.label("factor")
    checks.halve(a, LARGEST)
    a.load(_NUMERATOR_HIGH)
    a.put(Outlet.QUOTIENT, Half.HIGH)
    a.divide(LARGEST)
    a.put(Outlet.SCALE, Inlet.QUOTIENT)


def ratio(a: Assembler, name: str) -> None:
    """D = (mn * 2^16 + R / 2) div R, with 0 for 2^16; then go on at the label `name`."""
    a.load(LARGEST)
    a.subtract(ROOT, when=(Condition.ZERO, f"{name}_zero"))
    a.load(LARGEST, when=(Condition.ZERO, f"{name}_zero"))
    checks.halve(a, ROOT)
    a.pause()
    a.put(Outlet.QUOTIENT, Half.HIGH)
    a.divide(ROOT)
    a.copy(RATIO, Inlet.QUOTIENT, when=(Condition.ALWAYS, name))
    a.label(f"{name}_zero")
    a.copy(RATIO, 0)
    a.label(name)
