"""What every programmer offers: the program that writes a bitstream into a board.

It knows the seam; one file beside it knows each program (openfpgaloader.py). Another one, dfu-util
or ecpdap, is another file.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge_sdk.device import Progress
from edge_sdk.devices.board.kinds import BoardKind


@dataclass(frozen=True)
class Job:
    """One write."""

    image: Path
    """Checked already."""
    kind: BoardKind
    persist: bool
    """Into the SPI flash, kept without power; otherwise into the chip's own SRAM."""
    usb_serial: str | None
    """Which of several boards; None where there is one."""


class Programmer(Protocol):
    """A program that writes bitstreams."""

    name: str

    def check(self) -> None:
        """Raise MissingExtra or AccessError if it cannot be run here; touches no board."""

    def write(self, job: Job, progress: Progress, cancel: threading.Event) -> None:
        """Write and, for flash, verify; raises an EdgeError that says what went wrong.

        Ends within a bounded time even if the program hangs. `cancel` stops it.
        """
