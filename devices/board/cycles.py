"""How many clock cycles an accelerator takes for an instruction, and so for a token.

It knows how many elements and words an instruction takes and what each costs beside them; it does
not know values. The constants are those of the simulated gateware (docs/core.md), with SDRAM;
tests/firmware_images/test_simulation.py compares a whole token.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge_sdk.devices.board.assembler import listing
from edge_sdk.devices.board.operands import memory_span
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.isa import Boot, Flag, Instruction, Op

OVERHEAD = {
    Op.EMB: 106,
    Op.NRM: 275,
    Op.QNT: 134,
    Op.TMV: 88,
    Op.ACT: 69,
    Op.REC: 64,
    Op.PRD: 89,
}
"""Cycles beside the elements or words of an instruction, the fetch of the next one included."""
OPERAND_OVERHEAD = {Op.NRM: 21, Op.ACT: 27}
"""On top, where an operand comes from memory and need not."""
HALT_CYCLES = 30
STREAM_SHARE = 0.982
"""Words a cycle of a long burst; the rest is refresh and changing rows."""
PASSES = {Op.QNT: 2, Op.PRD: 2}
"""Passes over the elements, where it is not one."""


@dataclass(frozen=True)
class TokenCycles:
    """One token of a program, scores included."""

    cycles: int
    weight_words: int
    """Memory words of weights that were streamed."""

    @property
    def efficiency(self) -> float:
        """Weight words a cycle: 1 would be a stream that never pauses."""
        return self.weight_words / self.cycles

    def tokens_per_second(self, clock_hz: float) -> float:
        """At a clock rate."""
        return clock_hz / self.cycles


def cycles_of(one: Instruction, geometry: Geometry) -> int:
    """Cycles of one instruction, the fetch of the next one included."""
    overhead = OVERHEAD.get(one.op, HALT_CYCLES)
    if one.op not in OVERHEAD:
        return overhead
    if one.flags & Flag.GAIN:
        overhead += OPERAND_OVERHEAD.get(one.op, 0)
    if one.op == Op.TMV:
        words = memory_span(one, geometry)[1] // geometry.halfwords_per_word
        return overhead + round(words / STREAM_SHARE)
    return overhead + PASSES.get(one.op, 1) * one.n


def token_cycles(image: bytes, geometry: Geometry) -> TokenCycles:
    """Cycles of a token whose scores are asked for, by the programs in a memory image."""
    boot = Boot.decode(image[:16])
    program = [*listing(image, boot.body), *listing(image, boot.head)]
    return TokenCycles(
        sum(cycles_of(one, geometry) for one in program), weight_words(program, geometry)
    )


def weight_words(program: Iterable[Instruction], geometry: Geometry) -> int:
    """Memory words that the ternary array takes."""
    spans = (memory_span(one, geometry)[1] for one in program if one.op == Op.TMV)
    return sum(spans) // geometry.halfwords_per_word
