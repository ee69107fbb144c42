"""Figures of a board's link: opening, upload, the share of a token's time that it takes.

It knows what to time; it does not know how any of it works. The rate of a virtual board's line is
simulated, and the figures say so.
"""

from __future__ import annotations

import time
from typing import Any

from edge_sdk.device import Progress
from edge_sdk.devices.board.device import BoardDevice
from edge_sdk.devices.board.link import Frame
from edge_sdk.devices.board.protocol import pack_feed
from edge_sdk.devices.board.upload import upload
from edge_sdk.errors import UnsupportedOperation, UsageError
from edge_sdk.firmware_images.contract.manifest import SIMULATED
from edge_sdk.firmware_images.contract.wire import REPLIES, TOP_ENTRY, Type
from edge_sdk.model_file import Model
from edge_sdk.registry import open_device


def measure_link(
    uri: str, model: Model, *, tokens: int = 32, progress: Progress | None = None
) -> dict[str, Any]:
    """Open `uri` anew, upload `model`, feed `tokens` one by one; plain values, seconds and bytes.

    Raises UsageError for fewer tokens than one, UnsupportedOperation for what is no board.
    """
    if tokens < 1:
        raise UsageError(f"tokens is {tokens}; expected 1 or more.", hint="64 is a good number.")
    begin = time.perf_counter()
    device = open_device(uri)
    opening = time.perf_counter() - begin
    with device:
        if not isinstance(device, BoardDevice):
            raise UnsupportedOperation(f"{uri} is no board.", hint="name one: serial:auto.")
        figures = {
            "device": device.info.uri,
            "board": device.info.name,
            "simulated": SIMULATED in device.hello.features,
            "baud": device.client.transport.baud,
            "open_seconds": opening,
        }
        figures |= _upload(device, model, progress)
        return figures | _tokens(device, model, tokens, progress)


def _upload(device: BoardDevice, model: Model, progress: Progress | None) -> dict[str, Any]:
    image = device.compiled(model, progress)
    resident = device.client.hello()
    begin = time.perf_counter()
    sent = upload(device.client, resident, image.data, image.sha256, progress)
    seconds = time.perf_counter() - begin
    baud = device.client.transport.baud
    rate = sent / seconds if sent else None
    return {
        "uploaded_bytes": sent,
        "upload_seconds": seconds if sent else None,
        "upload_bytes_per_second": rate,
        "share_of_line_rate": rate / (baud / 10) if rate and baud else None,
    }


def _tokens(
    device: BoardDevice, model: Model, tokens: int, progress: Progress | None
) -> dict[str, Any]:
    session = device.load(model, progress=progress)
    best = session.feed([0]).best()
    count = len(session.feed([best]).ids)
    cycles = session.cycles
    begin = time.perf_counter()
    for index in range(tokens):
        best = session.feed([best]).best()
        if progress is not None:
            progress("tokens", index + 1, tokens)
    real = (time.perf_counter() - begin) / tokens
    board = (session.cycles - cycles) / tokens / device.hello.clock_hz
    session.close()
    line = device.client.line_seconds(_message_bytes(count))
    return {
        "tokens": tokens,
        "candidates": count,
        "token_seconds": real,
        "board_token_seconds": board,
        "line_token_seconds": line,
        "link_overhead": line / board if board else None,
        "measured_overhead": real / board - 1 if board else None,
    }


def _message_bytes(candidates: int) -> int:
    """Bytes of one token's request and reply on the line."""
    request = Frame(Type.FEED, 1, pack_feed(1, candidates, [1])).encode()
    size = REPLIES[Type.FEED].size + candidates * TOP_ENTRY.size
    return len(request) + len(Frame(Type.FEED, 1, b"\1" * size).encode())
