"""Reads one value from one file of a sysfs tree, without ever raising.

It knows text, whole numbers and their errors; it does not know which file means what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


def text(path: Path) -> str | None:
    """The stripped content of a file, or None where it cannot be read."""
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return None


def number(path: Path) -> int | None:
    """The whole number in a file, or None where it cannot be read or is no number."""
    found = text(path)
    try:
        return int(found) if found else None
    except ValueError:
        return None


def entries(folder: Path, pattern: str) -> Iterable[Path]:
    """The entries whose names match, in natural order (hwmon2 before hwmon10); none on error."""
    try:
        found = list(folder.glob(pattern))
    except OSError:
        return []
    return sorted(found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)])
