"""Keeps the terminal to the app alone: what others print goes to a log file.

It knows file descriptors and which streams Textual's drivers write to; it does not know the app.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_sdk import paths

MAX_LOG_BYTES = 1 << 20
"""A log larger than this is begun anew, so that it never fills a small disk."""


def log_file() -> Path:
    """Where C libraries, compilers and tracebacks write while the app runs."""
    return paths.state_dir() / "logs" / "chat.log"


@contextmanager
def private_terminal(log: Path) -> Iterator[None]:
    """Point file descriptors 1 and 2 at `log`, and Textual at a copy of the terminal.

    Textual's drivers write to sys.__stderr__ (Linux, macOS) or sys.__stdout__ (Windows, and the
    size of the terminal everywhere), so both become the copy; sys.stdout and sys.stderr keep
    their descriptors and therefore write to the log, as C code and child processes do.
    Raises AccessError where the log's folder cannot be made, OSError where the log cannot be.
    """
    paths.ensure(log.parent)
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.unlink()
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {number: os.dup(number) for number in (1, 2)}
    originals = {name: getattr(sys, name) for name in ("__stdout__", "__stderr__")}
    # Descriptor 1, not 2: `2>errors.txt` must not take the screen away.
    terminal = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        vars(sys).update(__stdout__=terminal, __stderr__=terminal)
        yield
    finally:
        vars(sys).update(originals)
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)
        os.close(sink)
        terminal.close()
