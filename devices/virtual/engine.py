"""What stands in for the chip of a virtual board: frames in, frames out, cycles counted.

It knows the two questions that a line asks of an engine; it does not know lines, ports or time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Sent:
    """What a board sends, and how long it worked before."""

    data: bytes
    cycles: int
    """Clock cycles of the board from the last byte received to the first one sent."""


class Engine(Protocol):
    """A board from its receive pin to its transmit pin, at the level of bytes."""

    name: str
    """What answers, in words: "integer model", "compiled RTL"."""
    clock_hz: int
    """Of the board that it stands for."""

    def receive(self, data: bytes) -> list[Sent]:
        """Take bytes from the line; returns the replies to the frames that they complete.

        Malformed frames have no reply; whatever comes in, this ends.
        """

    def close(self) -> None:
        """Free what it holds."""
