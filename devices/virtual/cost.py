"""Clock cycles of an instruction (placeholder until cycles.py)."""

from __future__ import annotations

from edge_sdk.devices.board.operands import memory_span
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.isa import Instruction, Op


def cycles_of(one: Instruction, geometry: Geometry) -> int:
    """About."""
    if one.op == Op.TMV:
        return 200 + int(memory_span(one, geometry)[1] / geometry.halfwords_per_word / 0.95)
    return 50 + one.n * (2 if one.op in (Op.QNT, Op.PRD) else 1)
