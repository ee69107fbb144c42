"""Tables, JSON lines and errors as the command line prints them.

It knows streams and columns; it does not know what the values mean. Whatever comes from a file, a
device or a user is made inert before it is shown.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from edge_sdk.safe_text import printable

GAP = "  "
_POWERS = "KMGT"


def print_json(value: Mapping[str, object], *, stream: TextIO | None = None) -> None:
    """Print one JSON object on one line and flush it, so that a reader has it at once.

    Everything beyond ASCII is escaped: the line is valid in any encoding and inert on a terminal.
    """
    print(json.dumps(value, default=str), file=stream or sys.stdout, flush=True)


def print_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[Sequence[str]] = ()
) -> None:
    """Print `rows` on stdout under `head`, columns aligned, no colours and no lines.

    `notes`, if given, has one list a row: lines that follow it, indented to the second column,
    where a long sentence wraps without breaking the columns.
    """
    cells = [[printable(cell, newlines=False) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row, lines in zip(cells, ((), *notes) if notes else [()] * len(cells), strict=True):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(GAP.join(padded).rstrip())
        for line in lines:
            print(" " * widths[0] + GAP + printable(line, newlines=False))


def print_error(error: Mapping[str, object], *, as_json: bool = False) -> None:
    """Print what EdgeError.to_json gave: a sentence and its hint on stderr, or JSON on stdout."""
    if as_json:
        print_json(error)
        return
    print(f"edge-sdk: {printable(str(error['message']))}", file=sys.stderr)
    if error["hint"]:
        print(f"hint: {printable(str(error['hint']))}", file=sys.stderr)


def format_bytes(count: float) -> str:
    """4096 -> "4.1 KB"; powers of 1000, as storage and network figures are."""
    if count < 1000:
        return f"{count:.0f} B"
    value, power = count / 1000, 0
    while value >= 999.5 and power < len(_POWERS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.{1 if value < 99.95 else 0}f} {_POWERS[power]}B"


def format_latency(seconds: float) -> str:
    """0.0034 -> "3.4 ms", 1.23 -> "1.2 s": what takes milliseconds must not read as zero."""
    if seconds >= 0.9995:
        return f"{seconds:.1f} s"
    milliseconds = seconds * 1000
    return f"{milliseconds:.{1 if milliseconds < 9.95 else 0}f} ms"
