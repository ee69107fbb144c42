"""Which instructions an accelerator refuses: ranges, alignment, the reach of RAMs and memory.

It knows docs/accelerator-isa.md's list of refusals; it does not know what instructions compute.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import EPSILON_MANTISSA_BITS, Flag, Instruction, Op

MAX_EPSILON_SHIFT = 48
_SHIFTS = {Op.NRM: range(64), Op.ACT: range(5), Op.REC: range(9)}


def fault(one: Instruction, geometry: Geometry, token: int = 0) -> str | None:
    """Why `one` is refused, or None; the rule that TMV follows its QNT is not checked here."""
    if one.op == Op.HALT:
        return None
    if one.op == Op.BOOT:
        return "a boot record is no instruction"
    if one.n == 0 or (one.op == Op.TMV and one.extra == 0):
        return "it has nothing to do"
    if one.op in _SHIFTS and one.shift not in _SHIFTS[one.op]:
        return f"its shift is {one.shift}; expected 0 to {_SHIFTS[one.op][-1]}"
    if one.op == Op.NRM and one.extra >> EPSILON_MANTISSA_BITS > MAX_EPSILON_SHIFT:
        return f"its epsilon is shifted by more than {MAX_EPSILON_SHIFT}"
    return _beyond_rams(one, geometry) or _beyond_memory(one, geometry, token)


def _beyond_rams(one: Instruction, geometry: Geometry) -> str | None:
    for ram, offset, count in _spans(one):
        if offset + count > geometry.depth(ram):
            return (
                f"it uses elements {offset} to {offset + count - 1} of RAM {ram.name}, which has "
                f"{geometry.depth(ram)}"
            )
    if one.op in (Op.QNT, Op.TMV):
        most = geometry.max_columns(bool(one.flags & Flag.FIVE_TRITS))
        if one.n > most:
            return f"it has {one.n} columns; the activation memory holds {most}"
    return None


def _spans(one: Instruction) -> list[tuple[Ram, int, int]]:
    """(RAM, first element, elements) of every operand."""
    first = (one.ram1, one.offset, one.n)
    match one.op:
        case Op.TMV:
            return [] if one.flags & Flag.TOP else [(one.ram1, one.offset, one.extra)]
        case Op.ACT:
            return [first, (one.ram2, one.extra, one.n)]
        case Op.REC | Op.PRD:
            return [first, (one.ram2, one.extra, one.n), (one.ram3, one.factor, one.n)]
        case _:
            return [first]


def memory_span(one: Instruction, geometry: Geometry, token: int = 0) -> tuple[int, int]:
    """(address, halfwords) that `one` reads; (0, 0) if it reads nothing."""
    match one.op:
        case Op.EMB:
            return one.address + token * one.factor, 2 + -(-one.n // 2)
        case Op.TMV:
            words = -(-one.n // geometry.columns_per_word(bool(one.flags & Flag.FIVE_TRITS)))
            return one.address, one.extra * words * geometry.halfwords_per_word
        case Op.QNT:
            return one.address, one.n
        case Op.NRM | Op.ACT if one.flags & Flag.GAIN:
            return one.address, one.n
        case _:
            return 0, 0


def _beyond_memory(one: Instruction, geometry: Geometry, token: int) -> str | None:
    address, count = memory_span(one, geometry, token)
    if address % geometry.halfwords_per_word:
        return f"its address {address} is not a multiple of {geometry.halfwords_per_word}"
    end = geometry.memory_words * geometry.halfwords_per_word
    if address + count > end:
        return f"it reads up to address {address + count}; memory ends at {end}"
    return None
