"""Bytes to frames and back: COBS, CRC-32, sequence numbers (docs/wire-protocol.md, "Frames").

It knows how a frame is written and which bytes are no frame; it does not know ports, nor what a
frame means.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from edge_sdk.firmware_images.contract.wire import CRC, HEADER, MAX_PAYLOAD

DELIMITER = b"\0"
_OVERHEAD = HEADER.size + CRC.size
MAX_FRAME = _OVERHEAD + MAX_PAYLOAD
"""Bytes of the longest frame before COBS."""
MAX_ENCODED = MAX_FRAME + MAX_FRAME // 254 + 1
"""Bytes of the longest frame after COBS, without its delimiter; nothing longer is kept."""
SEQUENCES = 1 << 16
"""Sequence numbers count modulo this."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message on the line, in either direction."""

    type: int
    """wire.Type, with bit 7 set in a reply, or wire.ERROR."""
    sequence: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The frame as it goes over the line, delimiter included.

        Raises ValueError for a payload above MAX_PAYLOAD.
        """
        if len(self.payload) > MAX_PAYLOAD:
            raise ValueError(f"a payload has at most {MAX_PAYLOAD} bytes, not {len(self.payload)}")
        body = HEADER.pack(self.type, self.sequence, len(self.payload)) + self.payload
        return cobs_encode(body + CRC.pack(zlib.crc32(body))) + DELIMITER


def cobs_encode(data: bytes) -> bytes:
    """Consistent Overhead Byte Stuffing (Cheshire and Baker 1999): the same bytes without zeros."""
    out = bytearray()
    for piece in data.split(DELIMITER):
        while len(piece) >= 254:
            out += b"\xff" + piece[:254]
            piece = piece[254:]
        out.append(len(piece) + 1)
        out += piece
    return bytes(out)


def cobs_decode(data: bytes) -> bytes | None:
    """What `cobs_encode` was given, or None if `data` (without a zero) is no such encoding."""
    out, at, end = bytearray(), 0, len(data)
    while at < end:
        code = data[at]
        following = at + code
        if following > end or not code:
            return None
        out += data[at + 1 : following]
        if code < 255:
            out.append(0)
        at = following
    # A block shorter than the longest stands for a zero behind it, but for the last one.
    if out and code < 255:
        out.pop()
    return bytes(out)


def frame_of(encoded: bytes) -> Frame | None:
    """The frame between two delimiters, or None if it was damaged."""
    raw = cobs_decode(encoded)
    if raw is None or len(raw) < _OVERHEAD:
        return None
    kind, sequence, length = HEADER.unpack_from(raw)
    if len(raw) != _OVERHEAD + length or length > MAX_PAYLOAD:
        return None
    if CRC.unpack_from(raw, len(raw) - CRC.size)[0] != zlib.crc32(raw[: -CRC.size]):
        return None
    return Frame(kind, sequence, raw[HEADER.size : -CRC.size])


class Decoder:
    """Finds the frames in a stream of bytes; whatever else is in it is dropped and counted.

    It holds at most MAX_ENCODED bytes, whatever comes in, and finds the next good frame after any
    garbage at the next zero byte.
    """

    def __init__(self) -> None:
        self.frames = 0
        """Good frames so far."""
        self.errors = 0
        """Stretches between two zeros that were no frame."""
        self._held = b""
        self._overlong = False

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes; returns the frames that they complete."""
        found = []
        *ended, rest = data.split(DELIMITER)
        for piece in ended:
            frame = self._end(piece)
            if frame is not None:
                found.append(frame)
        self._hold(rest)
        return found

    def _end(self, piece: bytes) -> Frame | None:
        """The frame that `piece` completes, if it is one."""
        encoded = self._held + piece
        overlong = self._overlong or len(encoded) > MAX_ENCODED
        self._held, self._overlong = b"", False
        if not encoded and not overlong:
            return None
        frame = None if overlong else frame_of(encoded)
        if frame is None:
            self.errors += 1
        else:
            self.frames += 1
        return frame

    def _hold(self, rest: bytes) -> None:
        if self._overlong or len(self._held) + len(rest) > MAX_ENCODED:
            self._held, self._overlong = b"", True
        else:
            self._held += rest
