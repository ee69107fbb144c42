"""The msgpack manifest in HELLO's reply: what the gateware keeps in a ROM and never reads.

It knows names and types (docs/wire-protocol.md); it does not know boards.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgpack

from edge_sdk.firmware_images.contract import isa, wire
from edge_sdk.firmware_images.contract.geometry import Geometry

MAX_BYTES = 256


def pack_manifest(
    board: str, build: str, clock_hz: int, geometry: Geometry, features: Sequence[str] = ()
) -> bytes:
    """The manifest of a board; raises ValueError if it is too long."""
    packed: bytes = msgpack.packb(
        {
            "board": board,
            "build": build,
            "clock_hz": clock_hz,
            "lanes": geometry.lanes,
            "memory_bits": geometry.memory_bits,
            "isa": isa.VERSION,
            "schema": wire.schema(),
            "geometry": [
                geometry.x_depth,
                geometry.s_depth,
                geometry.a_depth,
                geometry.b_depth,
                geometry.q_depth,
            ],
            "features": list(features),
        }
    )
    if len(packed) > MAX_BYTES:
        raise ValueError(f"a manifest of {len(packed)} bytes is over {MAX_BYTES}")
    return packed
