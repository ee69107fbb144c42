"""Brings a memory image onto a board, in blocks that are read back, and goes on where it stopped.

It knows the order of LOAD_BEGIN, WRITE, CHECK and LOAD_COMMIT; it does not know what is in the
image.
"""

from __future__ import annotations

import zlib

from edge_sdk.device import Progress
from edge_sdk.devices.board.client import Client
from edge_sdk.devices.board.protocol import Hello, pack_write, read_exactly
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.errors import VerifyFailed
from edge_sdk.firmware_images.contract.wire import (
    BLOCK_BYTES,
    MAX_DATA,
    REQUESTS,
    Code,
    Space,
    Type,
)

ATTEMPTS = 3
"""How often a block is sent before the board's memory is taken for faulty."""
SLOW_SECONDS = 60.0
"""How long reading memory back may take at most: a simulated board is slow."""
CYCLES_PER_HALFWORD = 4
"""What reading memory back may take at most; only for how long a reply is waited for."""


def upload(
    client: Client,
    hello: Hello,
    image: bytes,
    sha256: bytes,
    progress: Progress | None = None,
) -> int:
    """Make `image` the resident model; returns how many bytes were sent.

    0 if it is resident already. After a break the same call goes on: blocks at the front that the
    board still holds are checked, not sent. Raises VerifyFailed, LinkError.
    """
    if hello.model == sha256:
        return 0
    report = progress or (lambda what, done, total: None)
    client.request(Type.LOAD_BEGIN, REQUESTS[Type.LOAD_BEGIN].pack(sha256))
    starts = range(0, len(image), BLOCK_BYTES)
    blocks = [image[start : start + BLOCK_BYTES] for start in starts]
    kept = 0
    while kept < len(blocks) and _holds(client, hello, starts[kept], blocks[kept]):
        kept += 1
    for start, block in zip(starts[kept:], blocks[kept:], strict=True):
        report("upload", start, len(image))
        _send(client, hello, start, block)
    report("upload", len(image), len(image))
    _commit(client, hello, image, sha256)
    return len(image) - min(kept * BLOCK_BYTES, len(image))


def _send(client: Client, hello: Hello, start: int, block: bytes) -> None:
    pieces = [
        pack_write(Space.MEMORY, (start + offset) // 2, block[offset : offset + MAX_DATA])
        for offset in range(0, len(block), MAX_DATA)
    ]
    for _ in range(ATTEMPTS):
        client.stream(Type.WRITE, pieces)
        if _holds(client, hello, start, block):
            return
    raise VerifyFailed(
        f"the board's memory does not keep what is written at byte {start}.",
        hint="switch the board off and on and try again; if it persists, its memory is faulty.",
    )


def _holds(client: Client, hello: Hello, start: int, block: bytes) -> bool:
    payload = REQUESTS[Type.CHECK].pack(start // 2, len(block) // 2)
    work = _reading_seconds(hello, len(block))
    reply = client.request(Type.CHECK, payload, work=work, patience=SLOW_SECONDS)
    return bool(read_exactly(Type.CHECK, reply)[0] == zlib.crc32(block))


def _commit(client: Client, hello: Hello, image: bytes, sha256: bytes) -> None:
    layout = REQUESTS[Type.LOAD_COMMIT]
    payload = layout.pack(len(image) // 2, zlib.crc32(image), sha256)
    try:
        work = _reading_seconds(hello, len(image))
        client.request(Type.LOAD_COMMIT, payload, work=work, patience=SLOW_SECONDS)
    except Refused as refusal:
        if refusal.code != Code.BAD_IMAGE:
            raise
        raise VerifyFailed(
            "the board refused the uploaded model: its memory holds something else.",
            hint="try again; if it persists, the board's memory is faulty.",
        ) from refusal


def _reading_seconds(hello: Hello, size: int) -> float:
    return CYCLES_PER_HALFWORD * size / 2 / hello.clock_hz
