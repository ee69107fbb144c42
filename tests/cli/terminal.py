"""Runs a command on a terminal of its own (a pty), and talks with it as a person would."""

from __future__ import annotations

import codecs
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

TIMEOUT = 60.0
"""Seconds to wait for a text: against hanging only."""


class Terminal:
    """A process whose stdin, stdout and stderr are one terminal; `text` is all that it showed."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self._own, other = os.openpty()
        self._other: int | None = other
        name = os.ttyname(other)
        # The shell leads a new session, so the terminal it opens becomes the one that Ctrl+C
        # is sent to.
        script = f'exec "$@" <{name} >{name} 2>&1'
        self.process = subprocess.Popen(
            ["sh", "-c", script, "sh", *command],
            env={"TERM": "xterm-256color", **environment},
            cwd=folder,
            start_new_session=True,
            preexec_fn=_take_interrupts,
        )
        self.text = ""
        self._seen = 0
        # A read may end within a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def expect(self, text: str) -> None:
        """Wait until `text` is shown, after whatever was expected before."""
        end = time.monotonic() + TIMEOUT
        while (found := self.text.find(text, self._seen)) < 0:
            if not self._read(end - time.monotonic()):
                shown = self.text[self._seen :]
                raise AssertionError(f"{text!r} was not shown, but {shown!r}")
        self._seen = found + len(text)

    def send(self, text: str) -> None:
        """Send keys; "\\n" is enter, "\\x03" Ctrl+C, "\\x04" Ctrl+D."""
        os.write(self._own, text.encode())

    def end(self) -> int:
        """Wait until the process ends; returns its exit code."""
        end = time.monotonic() + TIMEOUT
        while self._read(end - time.monotonic()):
            pass
        return self.process.wait(TIMEOUT)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._own], [], [], max(seconds, 0))
        # A terminal that nobody has open looks like one whose program has ended, so this end stays
        # open until the program has shown something.
        self._let_go()
        try:
            data = os.read(self._own, 65536) if ready else b""
        except OSError:  # Linux reports the other end's close as an error
            data = b""
        self.text += self._decoder.decode(data).replace("\r\n", "\n")
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._let_go()
        os.close(self._own)

    def _let_go(self) -> None:
        if self._other is not None:
            os.close(self._other)
            self._other = None


def _take_interrupts() -> None:
    """Ctrl+C is ignored in a job that a script put into the background, and so in its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
