"""The geometries that images and simulations are built with, by name.

It knows sizes; it does not know pins, chips or tools.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract.geometry import Geometry

ULX3S = Geometry(
    memory_bits=16,
    memory_words=1 << 24,
    x_depth=1024,
    s_depth=8192,
    a_depth=4096,
    b_depth=4096,
    q_depth=512,
)
"""32 MiB of SDR SDRAM beside the chip, 16 bits wide."""
SMALL = Geometry(
    memory_bits=16,
    memory_words=1 << 15,
    x_depth=64,
    s_depth=128,
    a_depth=128,
    b_depth=128,
    q_depth=16,
)
"""64 KiB of block RAM: for tests, and for models of some ten thousand weights."""
GEOMETRIES = {"ulx3s": ULX3S, "small": SMALL}
