"""Figures as a person reads them; unknown is a dash, never a nought."""

from __future__ import annotations

import pytest

from edge_sdk.app import figures
from edge_sdk.telemetry import Provenance, Reading


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (12.345, "W", "12.3 W"),
        (0.0421, "J", "42.1 mJ"),
        (9.999, "W", "10.0 W"),
        (99.96, "W", "100 W"),
        (1234.5, "J", "1234 J"),
        (123456.0, "J", "123 kJ"),
        (2.5e7, "J", "25.0 MJ"),
        (0.0, "W", "0.00 W"),
        (-0.01, "J", "-10.0 mJ"),
        (98304, "B", "96 KiB"),
        (8_500_000, "B", "8.11 MiB"),
        (12, "B", "12 B"),
        (2.5 * 2**30, "B", "2.50 GiB"),
        (55.0, "°C", "55.0 °C"),
    ],
)
def test_quantities_are_short(value: float, unit: str, shown: str) -> None:
    assert figures.quantity(value, unit) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.42, "420 ms"), (3.21, "3.21 s"), (125, "2 min 05 s")]
)
def test_seconds(value: float, shown: str) -> None:
    assert figures.seconds(value) == shown


def test_a_reading_that_is_missing_is_a_dash_with_its_reason() -> None:
    reading = Reading.unavailable("W", "RAPL", "it needs root; and more", "run \x1b[31msudo.")
    line = figures.figure(reading, "Power")
    assert (line.value, line.mark) == ("–", "unavailable")
    assert line.detail == ("Power: unavailable. It needs root; and more. To get it: run [31msudo.")
    assert figures.short_reason(reading) == "it needs root"
    assert figures.figure(None, "Power").value == "–"


def test_a_reading_tells_source_scope_and_period() -> None:
    reading = Reading(2.0, "W", Provenance.DERIVED, "RAPL\nx", "package", period=0.5)
    assert figures.figure(reading, "Power").detail == (
        "Power: 2.00 W, derived, mean of 0.50 s. Source: RAPL x. Scope: package."
    )


def test_bars_start_at_zero() -> None:
    assert figures.bars([], 5) == ""
    assert figures.bars([0.0, 0.0], 5) == ""
    assert figures.bars([10.0, 10.1, 10.0], 5) == "▇▇▇"
    assert figures.bars([0.0, 5.0, 10.0], 2) == "▄▇"


@pytest.mark.parametrize(
    ("used", "limit", "shown"),
    [(0, 10, "╌╌╌╌"), (5, 10, "━━╌╌"), (10, 10, "━━━━"), (30, 10, "━━━━"), (1, 0, "╌╌╌╌")],
)
def test_gauge(used: int, limit: int, shown: str) -> None:
    assert figures.gauge(used, limit, 4) == shown
