"""The messages between a host and a board: types, layouts, error codes, limits.

It knows numbers and fixed little-endian structures; docs/wire-protocol.md says how they are used.
It does not know frames (COBS, CRC-32), ports or what a command does inside.

A frame before COBS is `type u8, sequence u16, length u16, payload, CRC-32 u32`; the CRC (zlib's)
covers all before it. A zero byte ends the encoded frame.
"""

from __future__ import annotations

import hashlib
import struct
from enum import IntEnum

PROTOCOL = 1
MAGIC = b"EDGB"
HEADER = struct.Struct("<BHH")
CRC = struct.Struct("<I")
MAX_DATA = 1024
"""Bytes of data in one WRITE or READ."""
MAX_PAYLOAD = MAX_DATA + 8
MAX_FEED = 64
"""Token ids in one FEED."""
RECEIVE_BUFFER = 512
"""Bytes that may be under way while the board is busy; more can be lost."""
DEFAULT_BAUD = 115_200
"""After power-on, a break on the line, or two seconds without a good frame at a new rate."""
BAUD_TRIAL_SECONDS = 2
BLOCK_BYTES = 65_536
"""An upload is checked, and resumed, in blocks of this size."""


class Type(IntEnum):
    """The type byte of a request; its reply has bit 7 set."""

    HELLO = 0x01
    SET_BAUD = 0x02
    LOAD_BEGIN = 0x10
    WRITE = 0x11
    READ = 0x12
    CHECK = 0x13
    LOAD_COMMIT = 0x14
    RESET = 0x20
    FEED = 0x21
    SEEK = 0x22
    EXECUTE = 0x23
    COUNTERS = 0x30
    I2C = 0x31


REPLY = 0x80
ERROR = 0xFF
"""The type byte of a refusal."""


class Code(IntEnum):
    """Why a board refused a request."""

    UNKNOWN_TYPE = 1
    BAD_LENGTH = 2
    BAD_SEQUENCE = 3
    """Detail: the sequence number that it expects."""
    BAD_ADDRESS = 4
    NO_MODEL = 5
    BAD_IMAGE = 6
    BAD_OPCODE = 7
    """Detail: the halfword address of the instruction."""
    BAD_TOKEN = 8
    BAD_POSITION = 9
    """Detail: how many tokens it has been fed."""
    WATCHDOG = 10
    NO_DEVICE = 11
    """Nothing answers at that I2C address."""
    BAD_ARGUMENT = 12


class Space(IntEnum):
    """What READ and WRITE address; the unit is always a halfword of 16 bits."""

    MEMORY = 0
    RAM_X = 16
    RAM_S = 17
    RAM_A = 18
    RAM_B = 19


REQUESTS: dict[Type, struct.Struct] = {
    Type.HELLO: struct.Struct("<"),
    # cycles of the board's clock a bit
    Type.SET_BAUD: struct.Struct("<H"),
    # SHA-256 of the image; forgets the resident model
    Type.LOAD_BEGIN: struct.Struct("<32s"),
    # space, 0, address; then 2 to MAX_DATA bytes, an even number
    Type.WRITE: struct.Struct("<BBI"),
    # space, 0, address, halfwords (1 to MAX_DATA / 2)
    Type.READ: struct.Struct("<BBIH"),
    # address, halfwords: CRC-32 of what memory holds there
    Type.CHECK: struct.Struct("<II"),
    # halfwords from address 0, their CRC-32, SHA-256 as in LOAD_BEGIN
    Type.LOAD_COMMIT: struct.Struct("<II32s"),
    # zero state, position 0
    Type.RESET: struct.Struct("<"),
    # position before, top k (0: none), 0, count; then count token ids u16
    Type.FEED: struct.Struct("<IBBH"),
    # position that goes with a state just written to RAM_S
    Type.SEEK: struct.Struct("<I"),
    # one instruction
    Type.EXECUTE: struct.Struct("<16s"),
    Type.COUNTERS: struct.Struct("<"),
    # 7-bit address, bytes to write, bytes to read (0 to 16 each); then the bytes to write
    Type.I2C: struct.Struct("<BBB"),
}
"""The fixed part of each request's payload. What follows it is said above the line."""

REPLIES: dict[Type, struct.Struct] = {
    # magic, protocol, flags (Hello), memory found in halfwords, position, build id,
    # SHA-256 of the resident image or zeros; then the manifest, msgpack
    Type.HELLO: struct.Struct("<4sHHII8s32s"),
    Type.SET_BAUD: struct.Struct("<"),
    Type.LOAD_BEGIN: struct.Struct("<"),
    Type.WRITE: struct.Struct("<"),
    # then the data
    Type.READ: struct.Struct("<"),
    Type.CHECK: struct.Struct("<I"),
    Type.LOAD_COMMIT: struct.Struct("<"),
    Type.RESET: struct.Struct("<"),
    # position after, clock cycles, scale mantissa, scale shift, count; then count entries
    # (TOP_ENTRY) in any order; a score is sum * mantissa / 2**shift, in units of the head
    Type.FEED: struct.Struct("<IIIhH"),
    Type.SEEK: struct.Struct("<"),
    # clock cycles
    Type.EXECUTE: struct.Struct("<I"),
    # Counter order
    Type.COUNTERS: struct.Struct("<10I"),
    # then the bytes read
    Type.I2C: struct.Struct("<"),
}
TOP_ENTRY = struct.Struct("<Hi")
"""Token id, integer sum."""
REFUSAL = struct.Struct("<BBI")
"""Type of the request, Code, detail."""


class HelloFlag(IntEnum):
    """Bits of HELLO's flags."""

    MEMORY_GOOD = 0
    RESIDENT = 1


class Counter(IntEnum):
    """What COUNTERS returns: free-running, 32 bits, from power-on."""

    CYCLES = 0
    BUSY = 1
    """Cycles in which a program ran."""
    STREAM_WORDS = 2
    """Memory words taken by the ternary array."""
    STREAM_STALLS = 3
    """Cycles in which the array could take a word and memory gave none."""
    ARRAY_STALLS = 4
    """Cycles in which memory had a word and the array could not take it."""
    VECTOR_WORDS = 5
    """Elements that passed the vector unit."""
    REFRESHES = 6
    SATURATIONS = 7
    FRAMES = 8
    FRAME_ERRORS = 9


def schema() -> str:
    """Eight bytes in hex that change when a layout or a number in this file changes."""
    parts = [str(PROTOCOL), HEADER.format, TOP_ENTRY.format, REFUSAL.format]
    parts += [f"{t.name}={t:d}:{REQUESTS[t].format}>{REPLIES[t].format}" for t in Type]
    for numbers in (Code, Space, HelloFlag, Counter):
        parts += [f"{n.name}={n:d}" for n in numbers]
    return hashlib.blake2s("\n".join(parts).encode(), digest_size=8).hexdigest()
