"""A virtual board as a thing that is switched on, flashed and restarted.

It knows its folder, where a programmer puts bitstreams, and which engine a bitstream starts; it
does not know lines or frames.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_sdk import paths
from edge_sdk.devices.board.kinds import BoardKind
from edge_sdk.devices.flash.bitstream import read_bitstream
from edge_sdk.devices.flash.images import find_build, list_images
from edge_sdk.devices.virtual.engine import Engine
from edge_sdk.errors import ImageRejected

SRAM, FLASH = "sram.bit", "flash.bit"
"""What was loaded until the next power-off, and what is kept."""
NO_BUILD = "0" * 16
"""The build id where no image of ours was ever made."""
MakeEngine = Callable[[BoardKind, str], Engine]
"""(kind of board, build id) to its engine."""


class VirtualBoard:
    """Boots what is in its folder: SRAM first, then flash, then what it was delivered with.

    A bitstream that is damaged or made for another chip leaves it silent, as it does a real one.
    """

    def __init__(
        self,
        kind: BoardKind,
        make: MakeEngine,
        folder: Path | None = None,
        images: Path | None = None,
        *,
        loadable: bool = True,
    ) -> None:
        """Switch it on: what was in its SRAM is gone.

        loadable: somebody may load its SRAM while it runs; otherwise it boots from flash and lets
        the folder be, which may be that of a board that is being served.
        """
        self.kind = kind
        self.folder = paths.ensure(folder or paths.state_dir() / "boards" / kind.name)
        self._make = make
        self._images = images
        self._sources = (SRAM, FLASH) if loadable else (FLASH,)
        if loadable:
            (self.folder / SRAM).unlink(missing_ok=True)
        self._seen = self._look()
        self._engine = self._boot()

    def engine(self) -> Engine | None:
        """What runs now, or None; started anew if a bitstream was written since the last call."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            self.close()
            self._engine = self._boot()
        return self._engine

    def close(self) -> None:
        """Switch it off."""
        if self._engine is not None:
            self._engine.close()
        self._engine = None

    def _look(self) -> list[tuple[int, int] | None]:
        """(time of change, size) of what may be booted."""
        found: list[tuple[int, int] | None] = []
        for name in self._sources:
            try:
                status = (self.folder / name).stat()
                found.append((status.st_mtime_ns, status.st_size))
            except OSError:
                found.append(None)
        return found

    def _boot(self) -> Engine | None:
        for name in self._sources:
            path = self.folder / name
            if path.exists():
                build = self._build_of(path)
                return None if build is None else self._make(self.kind, build)
        delivered = (i.build for i in list_images(self._images) if i.board == self.kind.name)
        return self._make(self.kind, next(delivered, None) or NO_BUILD)

    def _build_of(self, path: Path) -> str | None:
        """The build id of a bitstream that this board can run."""
        try:
            data = path.read_bytes()
            found = read_bitstream(data, path.name)
        except (OSError, ImageRejected):
            return None
        if found.idcode != self.kind.idcode:
            return None
        known = find_build(data, self._images)
        # A build of the user's own tells the low half of its id.
        return (known and known.build) or f"{found.usercode or 0:016x}"
