"""The sequencer's program: what an instruction needs to be checked, set up and finished.

It knows docs/accelerator-isa.md and the numbers of `control`; it does not know circuits.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.gateware.core.assembler import Assembler
from edge_sdk.firmware_images.gateware.core.microcode import matrix, norm, quantise, tasks, vectors


def program(geometry: Geometry) -> list[int]:
    """Words of control.STEP; the first step is where the core begins."""
    a = Assembler()
    tasks.write(a, geometry)
    norm.write(a, geometry)
    quantise.write(a, geometry)
    matrix.write(a, geometry)
    vectors.write(a, geometry)
    return a.assemble()
