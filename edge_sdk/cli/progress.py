"""One line on stderr that tells how far something long is, and when it will be done.

It knows the terminal; it does not know what runs. Where stderr is no terminal, nothing is written.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

from edge_sdk.cli.output import format_bytes
from edge_sdk.device import Progress
from edge_sdk.safe_text import printable

Item = TypeVar("Item")
INTERVAL = 0.1
"""Seconds between two drawings; more often cannot be read."""
BYTES_FROM = 1 << 20
"""A total from here on is counted in bytes: no model has that many layers or training steps."""
_CLEAR = "\r\x1b[2K"


@contextmanager
def progress_bar(stream: TextIO | None = None) -> Iterator[Progress]:
    """Give a Progress that draws on `stream` (default stderr); the line is gone at the end."""
    out = sys.stderr if stream is None else stream
    if not out.isatty() or os.environ.get("TERM") == "dumb":
        yield _ignore
        return
    line = _Line(out)
    try:
        yield line
    finally:
        line.clear()


def watched(items: Iterable[Item], tell: Callable[[int], None]) -> Iterator[Item]:
    """The items, telling how many were taken; every hundredth time, as there may be very many."""
    for number, item in enumerate(items, start=1):
        if number % 100 == 0:
            tell(number)
        yield item


def describe(what: str, done: int, total: int, seconds: float) -> str:
    """("weights", 10, 40, 5.0) -> "weights: 25 %, 10 of 40, 15 s left"; total 0 is unknown."""
    form: Callable[[float], str] = format_bytes if max(done, total) >= BYTES_FROM else _count
    if total < 1:
        return f"{what}: {form(done)}"
    text = f"{what}: {100 * min(done, total) // total} %, {form(done)} of {form(total)}"
    # The first second says nothing about the speed.
    if seconds >= 1 and 0 < done < total:
        text += f", {format_seconds(seconds / done * (total - done))} left"
    return text


def format_seconds(seconds: float) -> str:
    """75.0 -> "1 min 15 s"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class _Line:
    """Draws over itself."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._what: str | None = None
        self._start = self._drawn = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what != self._what:
            self._what, self._start, self._drawn = what, now, 0.0
        if now - self._drawn < INTERVAL and done != total:
            return
        self._drawn = now
        text = describe(printable(what, newlines=False), done, total, now - self._start)
        # A line that wraps could not be drawn over.
        width = shutil.get_terminal_size().columns - 1
        self._out.write(_CLEAR + text[:width])
        self._out.flush()

    def clear(self) -> None:
        if self._what is not None:
            self._out.write(_CLEAR)
            self._out.flush()


def _ignore(what: str, done: int, total: int) -> None:
    """Progress for a reader who is no person."""


def _count(number: float) -> str:
    return str(round(number))
