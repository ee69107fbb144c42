"""Which process holds a port open, where the system tells.

It knows /proc on Linux and lsof elsewhere; it does not open ports.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

LSOF_SECONDS = 2.0


def name_holder(port: str) -> str | None:
    """E.g. "python3 (process 4711)" for another process that has `port` open, else None.

    A process of another user is found only by root.
    """
    wanted = os.path.realpath(port)
    for pid in _from_proc(wanted) if Path("/proc/self/fd").is_dir() else _from_lsof(wanted):
        if pid == os.getpid():
            return "this program itself"
        with suppress(psutil.Error):
            return f"{psutil.Process(pid).name()} (process {pid})"
    return None


def _from_proc(wanted: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        # Processes end and descriptors close while they are looked at.
        with suppress(OSError):
            for entry in folder.iterdir():
                with suppress(OSError):
                    if str(entry.readlink()) == wanted:
                        found.append(int(folder.parent.name))
                        break
    # Whoever opened the port in another process is the better answer.
    return sorted(found, key=lambda pid: pid == os.getpid())


def _from_lsof(wanted: str) -> list[int]:
    command = shutil.which("lsof")
    if command is None:
        return []
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        done = subprocess.run(
            [command, "-t", "--", wanted], capture_output=True, text=True, timeout=LSOF_SECONDS
        )
        return [int(line) for line in done.stdout.split()]
    return []
