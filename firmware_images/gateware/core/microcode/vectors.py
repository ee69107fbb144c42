"""EMB, ACT, REC and PRD: instructions that are little more than passes.

It knows them in docs/accelerator-isa.md; it does not know how elements are computed.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract.geometry import Geometry
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
    ADDRESS,
    ADDRESS_HIGH,
    BLOCK,
    EXTRA,
    FACTOR,
    OFFSET,
    OP,
    SQUARES,
    T0,
    N,
    mode,
)

_MAX_EMBEDDING_SHIFT = 40
_ACT_SHIFTS, _REC_SHIFTS = 5, 9


def write(a: Assembler, geometry: Geometry) -> None:
    """The four from their labels on."""
    _embed(a, geometry)
    _activate(a, geometry)
    _recur(a)
    _product(a)


def _embed(a: Assembler, geometry: Geometry) -> None:
    checks.begin(a, Op.EMB.name)
    checks.operand(a, 0, OFFSET)
    a.put(Outlet.FACTOR, FACTOR, when=BORROW_BAD)
    a.put(Outlet.MULTIPLY, Inlet.TOKEN)
    a.load(ADDRESS)
    a.add(Half.LOW, to=ADDRESS)
    a.load(ADDRESS_HIGH)
    a.do(Alu.ADD_CARRY, Half.HIGH, to=ADDRESS_HIGH)
    a.load(N, when=BORROW_BAD)
    a.add(1, to=T0)
    checks.halve(a, T0)
    a.load(2)
    a.add(Half.HIGH)
    checks.round_up(a, geometry.halfwords_per_word)
    checks.reach(a, geometry, T0)
    a.put(Outlet.TARGET, OFFSET, when=BORROW_BAD)
    a.put(Outlet.READ, 0)
    a.put(Outlet.MODE, mode(memory=1, byte=1, scale=1, store=1))
    checks.last(a)
    a.load(Inlet.MEMORY, out=Outlet.SCALE, wait=Event.MEMORY)
    a.load(Inlet.MEMORY, to=T0, wait=Event.MEMORY)
    a.subtract(_MAX_EMBEDDING_SHIFT)
    a.load(T0, when=(Condition.CARRY, "row_shift"))
    a.load(_MAX_EMBEDDING_SHIFT)
    a.label("row_shift")
    checks.round_shift(a, "row")
    a.put(Outlet.PASS, 0, when=(Condition.ALWAYS, "rest"))


def _activate(a: Assembler, geometry: Geometry) -> None:
    checks.begin(a, Op.ACT.name)
    checks.operand(a, 0, OFFSET)
    checks.operand(a, 1, EXTRA)
    checks.shift_below(a, _ACT_SHIFTS)
    a.load(OP)
    a.mask(Flag.GAIN << 8)
    a.load(0, when=(Condition.ZERO, "unbound"))
    checks.reach(a, geometry, checks.halfwords(a, geometry))
    a.load(0, when=BORROW_BAD)
    a.label("unbound")
    checks.shift_of(a)
    a.put(Outlet.OFFSET1, OFFSET)
    a.do(Alu.BIT, Half.HIGH, out=Outlet.ONE_HOT)
    a.put(Outlet.DROP, 1)
    a.put(Outlet.TARGET, EXTRA)
    checks.last(a)
    plain = {"act": 1, "store": 1, "dst": 1}
    a.load(OP)
    a.mask(Flag.SIGMOID << 8)
    a.put(Outlet.MODE, mode(**plain), when=(Condition.ZERO, "act"))
    a.load(OP)
    a.mask(Flag.GAIN << 8)
    a.put(Outlet.MODE, mode(**plain, sigmoid=1), when=(Condition.ZERO, "act"))
    a.put(Outlet.MODE, mode(**plain, sigmoid=1, memory=1))
    a.put(Outlet.READ, 0)
    a.label("act")
    a.put(Outlet.PASS, 0, when=(Condition.ALWAYS, "rest"))


def _recur(a: Assembler) -> None:
    checks.begin(a, Op.REC.name)
    _three(a)
    checks.shift_below(a, _REC_SHIFTS)
    checks.shift_of(a)
    a.load(1)
    a.add(Half.HIGH, to=T0)
    a.do(Alu.BIT, T0, out=Outlet.ONE_HOT)
    a.put(Outlet.DROP, 1)
    _offsets(a)
    a.put(Outlet.MODE, mode(two=1, three=1, store=1, dst=2))
    a.put(Outlet.PASS, 0, when=(Condition.ALWAYS, "rest"))


def _product(a: Assembler) -> None:
    checks.begin(a, Op.PRD.name)
    _three(a)
    a.put(Outlet.ONE_HOT, 1, when=BORROW_BAD)
    a.put(Outlet.DROP, 0)
    _offsets(a)
    a.put(Outlet.MODE, mode(two=1))
    a.put(Outlet.PASS, 0)
    a.load(OP)
    a.mask(Flag.KEEP << 8)
    a.load(0, wait=Event.IDLE, keep=True)
    a.load(Inlet.LARGEST_HIGH, when=(Condition.ZERO, "passed"))
    for register, inlet in zip(
        SQUARES, (Inlet.SQUARES0, Inlet.SQUARES1, Inlet.SQUARES2), strict=True
    ):
        a.copy(register, inlet)
    a.label("passed")
    a.do(Alu.LENGTH, Inlet.LARGEST_LOW, unless=(Condition.ZERO, "large"))
    a.jump("block")
    a.label("large")
    a.do(Alu.LENGTH, Inlet.LARGEST_HIGH)
    a.add(16)
    a.label("block")
    a.subtract(15, to=BLOCK)
    a.load(0, when=(Condition.NEGATIVE, "unshifted"))
    a.subtract(BLOCK, to=T0)
    a.load(BLOCK)
    a.do(Alu.BIT, T0, out=Outlet.ONE_HOT, unless=(Condition.ZERO, "blocked"))
    a.label("unshifted")
    a.copy(BLOCK, 0, when=(Condition.ALWAYS, "second"))
    a.label("blocked")
    a.put(Outlet.DROP, 1)
    a.label("second")
    a.put(Outlet.MODE, mode(two=1, store=1, dst=2))
    a.put(Outlet.PASS, 0, when=(Condition.ALWAYS, "rest"))


def _three(a: Assembler) -> None:
    """All three operands are within their RAMs."""
    checks.operand(a, 0, OFFSET)
    checks.operand(a, 1, EXTRA)
    checks.operand(a, 2, FACTOR)


def _offsets(a: Assembler) -> None:
    """A pass over three operands; the last is also the result's place."""
    a.put(Outlet.OFFSET1, OFFSET)
    a.put(Outlet.OFFSET2, EXTRA)
    a.put(Outlet.OFFSET3, FACTOR)
    a.put(Outlet.TARGET, FACTOR)
    checks.last(a)
