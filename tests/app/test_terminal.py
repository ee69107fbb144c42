"""The app in a real (pseudo) terminal: what others print stays off the screen, and it ends well."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from edge_sdk.app.terminal import MAX_LOG_BYTES, log_file, private_terminal

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 120.0
LEAVE_ALTERNATE_SCREEN = b"\x1b[?1049l"


class Terminal:
    """A program on a pseudo terminal of 80 x 24, and all the bytes that it wrote."""

    def __init__(self, *arguments: str, stderr: int | None = None) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.app.program", *arguments],
            cwd=ROOT,
            env=os.environ | {"TERM": "xterm-256color"},
            stdin=slave,
            stdout=slave,
            stderr=slave if stderr is None else stderr,
            start_new_session=True,
        )
        os.close(slave)
        self.output = b""

    def until(self, expected: bytes) -> None:
        deadline = time.monotonic() + PATIENCE
        while expected not in self.output:
            assert time.monotonic() < deadline, self.output[-2000:]
            self.read(0.1)

    def read(self, seconds: float) -> bool:
        """Take what comes within `seconds`; False once the terminal is closed."""
        if select.select([self.master], [], [], seconds)[0]:
            try:
                self.output += os.read(self.master, 65536)
            except OSError:
                return False
        return True

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def finish(self) -> int:
        while self.read(PATIENCE) and self.process.poll() is None:
            pass
        code = self.process.wait(PATIENCE)
        while select.select([self.master], [], [], 0)[0] and self.read(0):
            pass
        os.close(self.master)
        return code


def test_stray_output_goes_to_the_log_and_the_screen_stays_whole() -> None:
    terminal = Terminal()
    terminal.until(b"Ask anything")
    terminal.type(b"hello\r")
    terminal.until(b"very far")
    terminal.until(b"tokens")
    terminal.type(b"\x11")
    assert terminal.finish() == 0
    assert LEAVE_ALTERNATE_SCREEN in terminal.output
    assert b"NOISE" not in terminal.output
    log = log_file().read_text("utf-8")
    assert {"NOISE-ON-1", "NOISE-ON-2", "NOISE-OF-CHILD"} <= set(log.split())


def test_a_failure_is_told_again_after_the_screen_is_gone() -> None:
    terminal = Terminal("--fail")
    terminal.until(b"exit code 3")
    terminal.type(b"\x11")
    assert terminal.finish() == 3
    _, _, after = terminal.output.rpartition(LEAVE_ALTERNATE_SCREEN)
    assert b"error: no such device." in after
    assert b"hint: plug it in." in after
    assert b"Traceback" not in terminal.output


def test_a_mistake_of_the_app_is_a_sentence_and_its_traceback_is_in_the_log() -> None:
    terminal = Terminal("--crash")
    terminal.until(b"Ask anything")
    terminal.type(b"hello\r")
    assert terminal.finish() == 1
    _, _, after = terminal.output.rpartition(LEAVE_ALTERNATE_SCREEN)
    assert b"error: the app stopped because of a mistake of its own." in after
    assert b"ZeroDivisionError" not in terminal.output
    assert "ZeroDivisionError" in log_file().read_text("utf-8")


def test_errors_sent_elsewhere_do_not_take_the_screen_away(tmp_path: Path) -> None:
    with (tmp_path / "errors.txt").open("wb") as errors:
        terminal = Terminal(stderr=errors.fileno())
        terminal.until(b"Ask anything")
        terminal.type(b"\x11")
        assert terminal.finish() == 0
    assert (tmp_path / "errors.txt").read_bytes() == b""


def test_descriptors_and_streams_come_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "logs" / "chat.log"
    log.parent.mkdir()
    log.write_bytes(b"x" * (MAX_LOG_BYTES + 1))
    before = sys.__stdout__, sys.__stderr__
    with pytest.raises(ZeroDivisionError), private_terminal(log):
        os.write(1, b"hidden")
        assert sys.__stderr__ is not None
        sys.__stderr__.write("shown")
        raise ZeroDivisionError
    os.write(1, b"|after")
    assert (sys.__stdout__, sys.__stderr__) == before
    assert capfd.readouterr().out == "shown|after"
    assert log.read_bytes() == b"hidden"
