"""What the messages between host and board say, as values (docs/wire-protocol.md).

It knows how each request is packed and each reply is read and checked; it does not know frames,
sequence numbers or ports.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from edge_sdk.devices.board.refusal import Refused
from edge_sdk.errors import LinkError
from edge_sdk.firmware_images.contract import wire
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.manifest import MAX_MANIFEST
from edge_sdk.firmware_images.contract.wire import Code, Counter, HelloFlag, Space, Type

NO_MODEL = bytes(32)
"""HELLO's model where none is resident."""
_TEXTS = ("board", "schema")
_NUMBERS = ("clock_hz", "memory_bits", "isa")


@dataclass(frozen=True)
class Hello:
    """What a board says that it is."""

    protocol: int
    memory_good: bool
    memory: int
    """Bytes of memory found."""
    position: int
    """Tokens fed since the last reset."""
    build: str
    """Build id of the bitstream, 16 hex digits."""
    model: bytes | None
    """SHA-256 of the resident memory image."""
    board: str
    clock_hz: int
    geometry: Geometry
    isa: int
    schema: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class Fed:
    """What FEED answers."""

    position: int
    cycles: int
    mantissa: int
    shift: int
    entries: tuple[tuple[int, int], ...]
    """(token id, integer sum); a score is sum * mantissa / 2**shift."""


def read_hello(payload: bytes) -> Hello:
    """Read HELLO's reply; raises LinkError for a board that speaks another protocol."""
    layout = wire.REPLIES[Type.HELLO]
    if len(payload) < layout.size:
        raise _odd(Type.HELLO, f"{len(payload)} bytes")
    magic, protocol, flags, found, position, build, model = layout.unpack_from(payload)
    if magic != wire.MAGIC:
        raise _odd(Type.HELLO, f"the magic {magic!r}")
    if protocol != wire.PROTOCOL:
        raise _other_version(f"protocol {protocol}, this is {wire.PROTOCOL}")
    raw = _manifest(payload[layout.size :])
    if raw["schema"] != wire.schema():
        raise _other_version(f"messages of schema {raw['schema']}, this is {wire.schema()}")
    bits = raw["memory_bits"]
    words = found * 16 // bits
    return Hello(
        protocol=protocol,
        memory_good=bool(flags >> HelloFlag.MEMORY_GOOD & 1),
        memory=2 * found,
        position=position,
        build=build.hex(),
        model=model if flags >> HelloFlag.RESIDENT & 1 else None,
        board=raw["board"],
        clock_hz=raw["clock_hz"],
        geometry=Geometry(bits, words, *raw["geometry"]),
        isa=raw["isa"],
        schema=raw["schema"],
        features=tuple(raw["features"]),
    )


def _manifest(data: bytes) -> dict[str, Any]:
    """The msgpack map of HELLO, every field checked: it is the only message with free sizes."""
    if len(data) > MAX_MANIFEST:
        raise _odd(Type.HELLO, f"a manifest of {len(data)} bytes")
    try:
        raw = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_str_len=64,
            max_bin_len=0,
            max_ext_len=0,
            max_array_len=16,
            max_map_len=16,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise _odd(Type.HELLO, "a manifest that is no msgpack map") from error
    if not isinstance(raw, dict):
        raise _odd(Type.HELLO, "a manifest that is no map")
    for name in _TEXTS:
        if not isinstance(raw.get(name), str) or not raw[name].isprintable():
            raise _odd(Type.HELLO, f"a manifest without the text {name!r}")
    for name in _NUMBERS:
        if not _positive(raw.get(name)):
            raise _odd(Type.HELLO, f"a manifest without the number {name!r}")
    if raw["memory_bits"] % 16:
        raise _odd(Type.HELLO, f"memory words of {raw['memory_bits']} bits")
    depths, features = raw.get("geometry"), raw.get("features")
    if not isinstance(depths, list) or len(depths) != 5 or not all(map(_positive, depths)):
        raise _odd(Type.HELLO, "a manifest without five depths in 'geometry'")
    if not isinstance(features, list) or not all(isinstance(name, str) for name in features):
        raise _odd(Type.HELLO, "a manifest without the list 'features'")
    return raw


def _positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 32


def pack_feed(position: int, top_k: int, ids: Sequence[int]) -> bytes:
    """FEED: `ids` continue at `position`; `top_k` 0 asks for no scores."""
    head = wire.REQUESTS[Type.FEED].pack(position, top_k, 0, len(ids))
    return head + struct.pack(f"<{len(ids)}H", *ids)


def read_fed(payload: bytes) -> Fed:
    """Read FEED's reply; raises LinkError for one that contradicts itself."""
    layout = wire.REPLIES[Type.FEED]
    if len(payload) < layout.size:
        raise _odd(Type.FEED, f"{len(payload)} bytes")
    position, cycles, mantissa, shift, count = layout.unpack_from(payload)
    if len(payload) != layout.size + count * wire.TOP_ENTRY.size:
        raise _odd(Type.FEED, f"{len(payload)} bytes for {count} candidates")
    entries = tuple(wire.TOP_ENTRY.iter_unpack(payload[layout.size :]))
    return Fed(position, cycles, mantissa, shift, entries)


def pack_write(space: Space, address: int, data: bytes) -> bytes:
    """WRITE: `data` (an even number of bytes) to the halfword `address`."""
    return wire.REQUESTS[Type.WRITE].pack(space, 0, address) + data


def pack_read(space: Space, address: int, halfwords: int) -> bytes:
    """READ: `halfwords` from `address`."""
    return wire.REQUESTS[Type.READ].pack(space, 0, address, halfwords)


def read_exactly(request: Type, payload: bytes) -> tuple[Any, ...]:
    """The fields of a reply of fixed size; raises LinkError for another size."""
    layout = wire.REPLIES[request]
    if len(payload) != layout.size:
        raise _odd(request, f"{len(payload)} bytes; expected {layout.size}")
    return layout.unpack(payload)


def read_refusal(payload: bytes) -> Refused:
    """What an ERROR frame says; raises LinkError for a malformed one."""
    if len(payload) == wire.REFUSAL.size:
        request, code, detail = wire.REFUSAL.unpack(payload)
        if code in list(Code):
            name = Type(request).name if request in list(Type) else f"request {request:#04x}"
            why = f"the board refused {name} with {Code(code).name} (detail {detail})."
            return Refused(Code(code), detail, why)
    raise LinkError(
        "the board sent a refusal that this version does not know.",
        hint="flash the image of this version of Edge SDK: `edge-sdk flash`.",
    )


def read_counters(payload: bytes) -> dict[Counter, int]:
    """COUNTERS' reply."""
    return dict(zip(Counter, read_exactly(Type.COUNTERS, payload), strict=True))


def _odd(request: Type, what: str) -> LinkError:
    return LinkError(
        f"the board answered {request.name} with {what}, which the protocol does not allow.",
        hint="flash the board again with `edge-sdk flash`.",
    )


def _other_version(what: str) -> LinkError:
    return LinkError(
        f"the board speaks {what}.",
        hint="flash the image of this version of Edge SDK: `edge-sdk flash`.",
    )
