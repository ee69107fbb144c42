"""The msgpack map that a board's HELLO carries behind its fixed fields.

It knows the map's names and its limit; docs/wire-protocol.md says what they mean. It does not know
who keeps it in a ROM or who reads it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgpack

from edge_sdk.firmware_images.contract import isa, wire
from edge_sdk.firmware_images.contract.geometry import Geometry

MAX_MANIFEST = 256
"""Bytes."""
SIMULATED = "simulated"
"""A feature of everything that is no hardware, so that nobody takes it for that."""


def pack_manifest(
    board: str, build: str, clock_hz: int, geometry: Geometry, features: Sequence[str] = ()
) -> bytes:
    """The map as bytes. build: 16 hex digits. Raises ValueError above MAX_MANIFEST bytes."""
    depths = (g := geometry).x_depth, g.s_depth, g.a_depth, g.b_depth, g.q_depth
    packed: bytes = msgpack.packb(
        {
            "board": board,
            "build": build,
            "clock_hz": clock_hz,
            "lanes": geometry.lanes,
            "memory_bits": geometry.memory_bits,
            "isa": isa.VERSION,
            "schema": wire.schema(),
            "geometry": depths,
            "features": list(features),
        }
    )
    if len(packed) > MAX_MANIFEST:
        raise ValueError(f"a manifest has at most {MAX_MANIFEST} bytes, not {len(packed)}")
    return packed
