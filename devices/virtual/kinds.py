"""The boards that can be simulated: their clock, memory and chip.

It knows figures of boards; it does not know how they are simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edge_sdk.errors import DeviceNotFound
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.isa import Instruction
from edge_sdk.devices.virtual.cost import cycles_of


@dataclass(frozen=True)
class BoardKind:
    """One kind of board, as its default image makes it."""

    name: str
    """As in firmware_images/ and in HELLO's manifest."""
    title: str
    clock_hz: int
    geometry: Geometry
    features: tuple[str, ...] = ()

    @property
    def cost(self) -> Callable[[Instruction], int]:
        """Clock cycles of an instruction on this board."""
        return partial(cycles_of, geometry=self.geometry)


ULX3S = Geometry(
    memory_bits=16,
    memory_words=16 << 20,
    x_depth=1024,
    s_depth=8192,
    a_depth=4096,
    b_depth=4096,
    q_depth=512,
)
"""SDR SDRAM of 32 MiB, 16 bits wide."""
KINDS = {
    kind.name: kind
    for kind in (
        BoardKind("ulx3s-85f", "ULX3S with an LFE5U-85F", 75_000_000, ULX3S),
        BoardKind("ulx3s-12f", "ULX3S with an LFE5U-12F", 75_000_000, ULX3S),
        BoardKind("icepi-zero", "Icepi Zero", 75_000_000, ULX3S),
    )
}


def get_kind(name: str) -> BoardKind:
    """The board called `name`; raises DeviceNotFound."""
    kind = KINDS.get(name)
    if kind is None:
        raise DeviceNotFound(
            f"no board is called {name!r}; those that can be simulated are {', '.join(KINDS)}.",
            hint="write 'sim:ulx3s-85f'.",
        )
    return kind
