"""The boards that Edge SDK knows: their chip, memory, clock, and how a programmer calls them.

It knows figures of boards; it does not know how they are simulated, loaded or talked to.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_sdk.errors import DeviceNotFound
from edge_sdk.firmware_images.contract.configurations import ULX3S
from edge_sdk.firmware_images.contract.geometry import Geometry


@dataclass(frozen=True)
class BoardKind:
    """One kind of board, as its default image makes it."""

    name: str
    """As in firmware_images/ and in HELLO's manifest."""
    title: str
    part: str
    """What the `Part:` line of its bitstreams begins with."""
    idcode: int
    """What its chip answers over JTAG, and its bitstreams carry."""
    bitstream_bytes: int
    """Of a bitstream that is not compressed; a longer one is for a larger chip."""
    loader_name: str
    """openFPGALoader's name of the board."""
    usb_product: str
    """What the product text of its USB chip contains as it is sold; a hint, no identity."""
    clock_hz: int
    geometry: Geometry


# Sizes and IDCODEs as ecppack writes them; the comment lines in front come on top.
SMALL, LARGE = 582_343, 1_927_699
KINDS = {
    kind.name: kind
    for kind in (
        BoardKind(
            "ulx3s-85f",
            "ULX3S with an LFE5U-85F",
            "LFE5U-85F",
            0x41113043,
            LARGE,
            "ulx3s",
            "ULX3S FPGA 85K",
            75_000_000,
            ULX3S,
        ),
        BoardKind(
            "ulx3s-12f",
            "ULX3S with an LFE5U-12F",
            "LFE5U-12F",
            0x21111043,
            SMALL,
            "ulx3s",
            "ULX3S FPGA 12K",
            75_000_000,
            ULX3S,
        ),
    )
}


def get_kind(name: str) -> BoardKind:
    """The board called `name`; raises DeviceNotFound that lists all."""
    kind = KINDS.get(name)
    if kind is None:
        raise DeviceNotFound(
            f"no board is called {name!r}; known are {', '.join(KINDS)}.",
            hint="name one of them, for example ulx3s-85f.",
        )
    return kind
