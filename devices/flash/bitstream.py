"""Reads the parts of a Lattice ECP5 bitstream that tell what it is for and whether it is whole.

It knows the layout that ecppack writes (checked on files for LFE5U-12F, -25F and -85F); it does not
know boards or programmers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge_sdk.errors import ImageRejected

_COMMENT = b"\xff\x00"
"""Begins the readable part; texts in it end with a zero."""
_PREAMBLE = b"\xff\xff\xbd\xb3"
_VERIFY_IDCODE = b"\xe2\x00\x00\x00"
_USERCODE = b"\xc2\x80\x00\x00"
_END = b"\x5e\x00\x00\x00\xff\xff\xff\xff"
"""PROGRAM_DONE and the filling behind it."""
_HEAD_BYTES = 4096
_TAIL_BYTES = 64
_PART = re.compile(rb"Part: ([\x21-\x7e]{1,40})\0")


@dataclass(frozen=True)
class Bitstream:
    """What a bitstream says of itself."""

    part: str | None
    """E.g. LFE5U-85F-6CABGA381; None without such a line."""
    idcode: int
    """Of the chip that takes it."""
    usercode: int | None
    """32 bits that the build chose: the low half of the build id."""


def read_bitstream(data: bytes, name: str) -> Bitstream:
    """Read a whole bitstream; raises ImageRejected for something else or a part of one.

    name: of the file, for the sentence.
    """
    head = data[:_HEAD_BYTES]
    start = head.find(_PREAMBLE)
    if not head.startswith(_COMMENT) or start < 0:
        raise _rejected(name, "it does not begin like an ECP5 bitstream")
    at = head.find(_VERIFY_IDCODE, start)
    if at < 0 or at + 8 > len(head):
        raise _rejected(name, "it names no chip")
    idcode = int.from_bytes(head[at + 4 : at + 8], "big")
    if not data.endswith(_END):
        raise _rejected(name, f"it ends after {len(data)} bytes without the end of a bitstream")
    part = _PART.search(head[:start])
    tail = data[-_TAIL_BYTES:]
    code = tail.find(_USERCODE)
    found = int.from_bytes(tail[code + 4 : code + 8], "big") if code >= 0 else None
    return Bitstream(part.group(1).decode() if part else None, idcode, found)


def _rejected(name: str, why: str) -> ImageRejected:
    return ImageRejected(
        f"{name!r} was refused as an image: {why}.",
        hint="use a .bit file built for this board: `edge-sdk flash --list` shows those at hand.",
    )
