"""The boards that images can be built for, by name.

It knows which files there are; it does not know what is in them.
"""

from __future__ import annotations

from edge_sdk.firmware_images.gateware.boards import tang_nano_9k, ulx3s
from edge_sdk.firmware_images.gateware.boards.board import Board

BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        ulx3s.ULX3S_85F,
        ulx3s.ULX3S_12F,
        tang_nano_9k.TANG_NANO_9K,
    )
}
