"""NRM: two sums of squares in a pass, then N, its shift and its root.

It knows NRM in docs/accelerator-isa.md; it does not know what the root is for.
"""

from __future__ import annotations

from itertools import pairwise

from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.isa import EPSILON_MANTISSA_BITS, Flag, Op
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
    ADDRESS,
    ADDRESS_HIGH,
    BLOCK,
    EXTRA,
    FACTOR,
    HALF_SHIFT,
    LAST,
    OFFSET,
    OP,
    RATIO,
    ROOT,
    SQUARES,
    STALE,
    T0,
    T1,
    T2,
    T3,
    T4,
    T5,
    N,
    mode,
)
from edge_sdk.firmware_images.gateware.core.microcode.tasks import returns

_MAX_EPSILON_SHIFT = 48
_SHIFTS = 64
_VALUE = (T0, T1, T2, T3)
"""64 bits, the lowest halfword first; what _shift_right shifts by T4."""
_SUM = (N, OFFSET, ADDRESS, ADDRESS_HIGH)
"""64 bits in registers that the instruction needs no more once its pass has begun."""
_SHIFT = LAST
"""shift + b, once the instruction was checked."""
_INLETS = (Inlet.SQUARES0, Inlet.SQUARES1, Inlet.SQUARES2)
_HALF_ROOT_2 = 46341
"""2^16 / sqrt(2), rounded up."""
_TANGENT = 23174
"""2^16 / sqrt(8), rounded up, and three for what the product and T0 drop."""


def write(a: Assembler, geometry: Geometry) -> None:
    """NRM from its label on."""
    _start(a, geometry)
    _epsilon(a)
    _squares(a)
    _normalise(a)
    _root(a)
    _shift_right(a)


def _start(a: Assembler, geometry: Geometry) -> None:
    checks.begin(a, Op.NRM.name)
    checks.operand(a, 0, OFFSET)
    checks.shift_below(a, _SHIFTS)
    a.load(EXTRA)
    a.subtract(_MAX_EPSILON_SHIFT + 1 << EPSILON_MANTISSA_BITS)
    a.load(OP, unless=BORROW_BAD)
    a.mask(Flag.GAIN << 8)
    a.load(0, when=(Condition.ZERO, "plain"))
    a.subtract(0)
    checks.reach(a, geometry, checks.halfwords(a, geometry))
    a.put(Outlet.ONE_HOT, 2, when=BORROW_BAD)
    a.put(Outlet.DROP, 1)
    a.put(Outlet.READ, 0)
    a.put(Outlet.MODE, mode(memory=1), when=(Condition.ALWAYS, "norm"))
    a.label("plain")
    a.put(Outlet.ONE_HOT, 1)
    a.put(Outlet.DROP, 0)
    a.put(Outlet.MODE, mode(unit=1))
    a.label("norm")
    a.put(Outlet.OFFSET1, OFFSET)
    checks.last(a)
    a.put(Outlet.PASS, 0)
    _call(a, "ahead", "norm_pass")


def _epsilon(a: Assembler) -> None:
    """While the pass runs: em << es >> b, as (em << 48) >> (48 - es + b)."""
    a.load(OP)
    a.mask(Flag.BLOCK << 8)
    a.load(0, when=(Condition.ZERO, "unblocked"))
    a.load(BLOCK)
    a.add(BLOCK)
    a.label("unblocked")
    a.store(T4)
    checks.shift_of(a)
    a.load(T4)
    a.add(Half.HIGH, to=_SHIFT)
    a.put(Outlet.FACTOR, 65536 >> EPSILON_MANTISSA_BITS)
    a.put(Outlet.MULTIPLY, EXTRA)
    a.load(_MAX_EPSILON_SHIFT)
    a.subtract(Half.HIGH)
    a.add(T4, to=T4)
    a.load(EXTRA)
    a.mask((1 << EPSILON_MANTISSA_BITS) - 1, to=T3)
    for register in (T0, T1, T2):
        a.copy(register, 0)
    _call(a, "shift_right", "epsilon")
    for total, value in zip(_SUM, _VALUE, strict=True):
        a.copy(total, value)


def _squares(a: Assembler) -> None:
    """Sa, and Sx * factor >> (shift + b)."""
    a.load(0, wait=Event.IDLE)
    a.load(_SUM[0])
    a.add(Inlet.OWN0, to=_SUM[0])
    for register, inlet in zip(_SUM[1:], (Inlet.OWN1, Inlet.OWN2, 0), strict=True):
        a.load(register)
        a.do(Alu.ADD_CARRY, inlet, to=register)
    a.load(OP)
    a.mask(Flag.KEEP << 8)
    a.put(Outlet.FACTOR, FACTOR, when=(Condition.ZERO, "fresh"))
    for value, kept in zip(_VALUE[:-1], SQUARES, strict=True):
        a.copy(value, kept)
    a.jump("times")
    a.label("fresh")
    for value, inlet in zip(_VALUE[:-1], _INLETS, strict=True):
        a.copy(value, inlet)
    a.label("times")
    a.load(0)
    for index, value in enumerate(_VALUE[:-1]):
        a.put(Outlet.MULTIPLY, value)
        a.pause()
        a.add(Half.LOW, to=value)
        a.load(Half.HIGH)
        a.do(Alu.ADD_CARRY, 0, to=T3 if index == 2 else None)
    a.copy(T4, _SHIFT)
    _call(a, "shift_right", "shifted")
    a.load(_SUM[0])
    a.add(T0, to=T0)
    for total, value in zip(_SUM[1:], _VALUE[1:], strict=True):
        a.load(total)
        a.do(Alu.ADD_CARRY, value, to=value)


def _normalise(a: Assembler) -> None:
    """N' = N >> s in the lower two halfwords; a left shift is one from two halfwords higher."""
    a.load(T3)
    a.load(T2, unless=(Condition.ZERO, "length3"))
    a.load(T1, unless=(Condition.ZERO, "length2"))
    a.load(T0, unless=(Condition.ZERO, "length1"))
    a.do(Alu.LENGTH, T0, unless=(Condition.ZERO, "length"))
    a.copy(T0, 1)
    a.load(1, when=(Condition.ALWAYS, "length"))
    for index in (1, 2, 3):
        a.label(f"length{index}")
        a.do(Alu.LENGTH, _VALUE[index])
        a.add(16 * index, when=(Condition.ALWAYS, "length"))
    a.label("length")
    a.subtract(31)
    a.mask(-2, to=T4)
    a.put(Outlet.FACTOR, 0x8000)
    a.add(64, out=Outlet.MULTIPLY)
    a.load(T4)
    a.load(Half.HIGH, unless=(Condition.NEGATIVE, "halved"))
    a.copy(T3, T1)
    a.copy(T2, T0)
    a.copy(T1, 0)
    a.copy(T0, 0)
    a.load(T4)
    a.add(32, to=T4)
    a.load(Half.HIGH)
    a.label("halved")
    a.subtract(32, to=HALF_SHIFT)
    _call(a, "shift_right", "normal")


def _root(a: Assembler) -> None:
    """Newton's steps come down to the root from a tangent above it; they may end one above.

    A quotient larger than its divisor says that the divisor is the root.
    """
    a.copy(RATIO, STALE)
    a.load(T1, out=Outlet.MULTIPLY)
    a.put(Outlet.FACTOR, _HALF_ROOT_2)
    a.add(1)
    a.load(0xFFFF, to=ROOT, when=(Condition.ZERO, "pop"))
    a.load(Half.HIGH)
    a.add(_TANGENT, to=ROOT)
    a.load(0, unless=(Condition.CARRY, "newton"))
    a.copy(ROOT, 0xFFFF)
    a.label("newton")
    a.put(Outlet.FACTOR, 0x8000)
    for _ in range(2):
        a.put(Outlet.QUOTIENT, T0)
        a.load(T1)
        a.divide(ROOT)
        a.load(ROOT)
        a.subtract(Inlet.QUOTIENT, out=Outlet.MULTIPLY)
        a.pause()
        a.load(Half.HIGH, when=(Condition.CARRY, "pop"))
        a.add(Inlet.QUOTIENT, to=ROOT)
    a.put(Outlet.FACTOR, ROOT)
    a.put(Outlet.MULTIPLY, ROOT)
    a.load(T0)
    a.subtract(Half.LOW)
    a.load(T1)
    a.do(Alu.SUBTRACT_BORROW, Half.HIGH)
    a.load(ROOT, unless=(Condition.CARRY, "pop"))
    a.subtract(1, to=ROOT, when=(Condition.ALWAYS, "pop"))


def _call(a: Assembler, routine: str, name: str) -> None:
    """Jump to a routine, and go on behind this step, which is called `name`."""
    a.copy(T5, returns(name), when=(Condition.ALWAYS, routine))
    a.label(name)


def _shift_right(a: Assembler) -> None:
    """_VALUE >>= T4, whole halfwords first, the rest by a multiplication."""
    a.label("shift_right")
    a.load(T4)
    a.label("halfwords")
    a.subtract(16)
    a.load(0, keep=True, when=(Condition.CARRY, "bits"))
    for to, source in pairwise(_VALUE):
        a.copy(to, source)
    a.copy(T3, 0, when=(Condition.ALWAYS, "halfwords"))
    a.label("bits")
    a.mask(15, to=T4)
    a.load(0, when=(Condition.ZERO, "return"))
    a.subtract(T4, to=T4)
    a.do(Alu.BIT, T4, out=Outlet.FACTOR)
    a.put(Outlet.MULTIPLY, T0)
    a.pause()
    a.copy(T0, Half.HIGH)
    for low, high in pairwise(_VALUE):
        a.put(Outlet.MULTIPLY, high)
        a.load(low)
        a.add(Half.LOW, to=low)
        a.copy(high, Half.HIGH)
    a.jump("return")
