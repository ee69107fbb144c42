"""`python -m edge_sdk.firmware_images.gateware.simulation NAME FILE`: build a simulation.

It knows the command line only; `edge_sdk.firmware_images.simulation` is what calls it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edge_sdk import paths
from edge_sdk.firmware_images.gateware.simulation.compiler import ToolFailed, compile_design
from edge_sdk.firmware_images.gateware.simulation.top import CONFIGURATIONS, SimulatedBoard


def main(arguments: list[str]) -> int:
    """Build the simulation; 0, or 1 with one line on stderr."""
    name, target = arguments
    chosen = CONFIGURATIONS[name]
    board = SimulatedBoard(chosen)
    try:
        with paths.write_aside(Path(target)) as aside:
            compile_design(board, aside, chosen.chip, chosen.clock_hz)
    except ToolFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
