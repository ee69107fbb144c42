"""A program on a pseudo terminal, and when it wrote what.

It knows bytes and clocks; it does not know what the program is.
"""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from edge_sdk.errors import EdgeError

PATIENCE = 60.0
"""Seconds until a text that does not come is given up: against hanging only."""


class BenchTerminal:
    """A process whose stdin, stdout and stderr are one terminal of `size` (columns, lines)."""

    def __init__(
        self, command: Sequence[str], environment: dict[str, str], size: tuple[int, int]
    ) -> None:
        import fcntl
        import termios

        self._own, other = os.openpty()
        columns, lines = size
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.began = time.monotonic()
        """When the process was started, by time.monotonic."""
        self.process = subprocess.Popen(
            command,
            env=os.environ | environment | {"TERM": "xterm-256color"},
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)
        self._new = b""

    def send(self, keys: str) -> float:
        """Press keys; returns when, by time.monotonic."""
        self._take(0.0)
        self._new = b""
        moment = time.monotonic()
        os.write(self._own, keys.encode())
        return moment

    def until(self, *texts: str) -> float:
        """Wait until all of `texts` were written since the last `send`; returns when that was.

        Raises EdgeError where they do not come.
        """
        for text in texts:
            moment = self.until_match(re.escape(text))
        return moment

    def until_match(self, pattern: str) -> float:
        """The same for a regular expression over all that was written since the last `send`."""
        end = time.monotonic() + PATIENCE
        expected = re.compile(pattern.encode(), re.DOTALL)
        while not expected.search(self._new):
            if not self._take(end - time.monotonic()):
                raise EdgeError(
                    f"the app did not show {pattern!r} within {PATIENCE:.0f} s.",
                    hint="`edge-sdk chat` shows what is wrong.",
                )
        return time.monotonic()

    def rest(self, seconds: float) -> None:
        """Let the program go on; what it writes is read, as a terminal does."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self._take(left):
            pass

    def _take(self, seconds: float) -> bool:
        """Read what comes within `seconds`; False where nothing did."""
        ready, _, _ = select.select([self._own], [], [], max(seconds, 0.0))
        if not ready:
            return False
        try:
            data = os.read(self._own, 1 << 16)
        except OSError:  # how Linux says that the program has ended
            return False
        self._new += data
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            os.write(self._own, b"\x11")  # ctrl+q
            end = time.monotonic() + 5.0
            while self.process.poll() is None and time.monotonic() < end:
                self.rest(0.05)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._own)
