"""Writes readings and figures as a person reads them.

It knows units, digits and provenance words; it does not know widgets or where a figure comes from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge_sdk.safe_text import printable
from edge_sdk.telemetry import Provenance, Reading

BARS = "▁▂▃▄▅▆▇█"
UNKNOWN = "–"


@dataclass(frozen=True)
class Figure:
    """One line of the panel."""

    value: str
    """Number and unit, with `≈` where it is estimated."""
    mark: str = ""
    """The provenance as a word, or another word about the value."""
    detail: str = ""
    """The whole truth: what it is, source, scope, or reason and remedy."""


def quantity(value: float, unit: str) -> str:
    """Three significant digits, and a unit that keeps the number short."""
    if unit == "B":
        return _bytes(value)
    if unit in ("W", "J") and value:
        for limit, factor, prefix in ((1.0, 1e3, "m"), (1e4, 1.0, ""), (1e7, 1e-3, "k")):
            if abs(value) < limit:
                return f"{_digits(value * factor)} {prefix}{unit}"
        return f"{_digits(value / 1e6)} M{unit}"
    return f"{_digits(value)} {unit}".strip()


def size_of_whole(used: float, total: float) -> str:
    """`2.1 of 8.0 GiB`: both in the unit of the larger."""
    factor, unit = _binary_unit(total)
    return f"{used / factor:.1f} of {total / factor:.1f} {unit}"


def figure(reading: Reading | None, what: str, *, mark: bool = True) -> Figure:
    """A reading as a line of the panel; `what` begins the detail."""
    if reading is None:
        return Figure(UNKNOWN, "", f"{what}: not read yet.")
    word = reading.provenance.value if mark else ""
    if reading.value is None:
        return Figure(UNKNOWN, word, f"{what}: unavailable. {explain(reading)}")
    # J/token stands in a row that says per token.
    value = quantity(reading.value, reading.unit.partition("/token")[0])
    if reading.provenance is Provenance.ESTIMATED:
        value = f"{reading.provenance.sign} {value}"
    period = f", mean of {_digits(reading.period)} s" if reading.period else ""
    source = printable(reading.source, newlines=False)
    detail = f"{what}: {value}, {reading.provenance.value}{period}. Source: {source}."
    return Figure(value, word, f"{detail} Scope: {reading.scope}.")


def explain(reading: Reading) -> str:
    """Why a reading is missing and what would help, as sentences."""
    reason = sentence(reading.reason or "the reason is not known")
    return f"{reason} To get it: {printable(reading.remedy)}" if reading.remedy else reason


def short_reason(reading: Reading) -> str:
    """The first clause of the reason, for a place where the whole does not fit."""
    return printable(re.split(r"[;(]|: ", reading.reason or "")[0].strip(), newlines=False)


def sentence(text: str) -> str:
    """`text`, harmless to a terminal, with a capital letter and a full stop."""
    text = printable(text).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def bars(values: Sequence[float], width: int) -> str:
    """The last `width` values as bars, from zero, so that noise does not look like a peak."""
    shown = list(values)[-width:]
    # Some air above the largest: a steady figure is a line, not a block.
    top = 1.25 * max(shown, default=0.0)
    if top <= 0:
        return ""
    return "".join(BARS[min(int(max(v, 0.0) / top * len(BARS)), len(BARS) - 1)] for v in shown)


def gauge(used: int, limit: int, width: int) -> str:
    """How full something is, as a line of `width` cells."""
    full = min(round(used / limit * width), width) if limit > 0 else 0
    return "━" * full + "╌" * (width - full)


def seconds(value: float) -> str:
    """`420 ms`, `3.2 s`, `2 min 05 s`."""
    if value < 1:
        return f"{_digits(value * 1e3)} ms"
    if value < 60:
        return f"{_digits(value)} s"
    return f"{int(value) // 60} min {int(value) % 60:02} s"


def _digits(value: float) -> str:
    """Three significant digits, or all that stand before the point."""
    for limit, places in ((9.995, 2), (99.95, 1)):
        if abs(value) < limit:
            return f"{value:.{places}f}"
    return f"{value:.0f}"


def _binary_unit(value: float) -> tuple[float, str]:
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if abs(value) >= 1024**power:
            return 1024.0**power, unit
    return 1.0, "B"


def _bytes(value: float) -> str:
    factor, unit = _binary_unit(value)
    number = value / factor
    if number == int(number):
        return f"{int(number)} {unit}"
    return f"{_digits(number)} {unit}"
