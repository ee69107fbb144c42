"""How many clock cycles an accelerator takes for an instruction, and so for a token.

It knows the structure (one element and one weight word a cycle, serial division, memory latency)
and a few constants; it does not know values. The constants are fitted to the simulated gateware.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge_sdk.devices.board.assembler import listing
from edge_sdk.devices.board.operands import memory_span
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.isa import INSTRUCTION_HALFWORDS, Boot, Instruction, Op

# Estimates until they are fitted.
LATENCY = 14
"""From a request to the first word of memory: precharge, activation, the controller's queue."""
PIPELINE = 12
"""Filling and draining the vector unit, once a pass."""
DECODE = 6
"""From the last halfword of an instruction to its first action."""
SERIAL = 40
"""One division or square root, a bit or so a cycle."""
STREAM_SHARE = 0.95
"""Words a cycle of a long burst; the rest is refresh and changing rows."""
PASSES = {Op.QNT: 2, Op.PRD: 2}
"""Passes over the elements, where it is not one."""
SERIAL_STEPS = {Op.NRM: 1, Op.QNT: 1, Op.TMV: 1}
"""Divisions and roots of an instruction."""


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
    """Cycles of one instruction, its fetch included."""
    per_word = geometry.halfwords_per_word
    total = LATENCY + -(-INSTRUCTION_HALFWORDS // per_word) + DECODE
    if one.op in (Op.HALT, Op.BOOT):
        return total
    passes = PASSES.get(one.op, 1)
    words = -(-memory_span(one, geometry)[1] // per_word)
    streamed = round(words / STREAM_SHARE)
    elements = 0 if one.op == Op.TMV else one.n
    total += SERIAL_STEPS.get(one.op, 0) * SERIAL
    return total + passes * (max(elements, streamed) + PIPELINE + (LATENCY if words else 0))


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
