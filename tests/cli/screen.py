"""A terminal whose screen can be read as a person sees it, row by row."""

from __future__ import annotations

import time
from pathlib import Path

import pyte

from tests.cli.terminal import TIMEOUT, Terminal


class ScreenTerminal(Terminal):
    """A process on a terminal of `columns` x `lines`, with a terminal emulator looking on."""

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        folder: Path,
        size: tuple[int, int] = (100, 30),
    ) -> None:
        columns, lines = size
        self._screen = pyte.Screen(columns, lines)
        self._screen.set_mode(pyte.modes.LNM)
        self._stream = pyte.Stream(self._screen)
        self._fed = 0
        sized = {"COLUMNS": str(columns), "LINES": str(lines), "TEXTUAL_ANIMATIONS": "none"}
        super().__init__(command, environment | sized, folder)

    @property
    def rows(self) -> str:
        """What is on the screen now."""
        return "\n".join(self._screen.display)

    def until(self, text: str, after: str = "") -> None:
        """Wait until `text` is on the screen, behind the last `after` if one is given."""
        end = time.monotonic() + TIMEOUT
        while (place := (self.rows.rfind(after) if after else 0)) < 0 or text not in self.rows[
            place:
        ]:
            if not self._read(end - time.monotonic()):
                raise AssertionError(f"{text!r} was not shown, but\n{self.rows}")

    def _read(self, seconds: float) -> bool:
        alive = super()._read(seconds)
        self._stream.feed(self.text[self._fed :])
        self._fed = len(self.text)
        return alive
