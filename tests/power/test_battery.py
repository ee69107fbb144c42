"""Batteries: only while they discharge, and only the machine's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.devices.power.battery import Battery
from edge_sdk.telemetry import Provenance
from tests.power.trees import battery


def test_power_of_all_discharging_batteries(tmp_path: Path) -> None:
    battery(tmp_path, "BAT0", power_now=6_500_000)
    battery(tmp_path, "BAT1", power_now=-1_500_000)
    battery(tmp_path, "mouse", power_now=9_000_000, scope="Device")
    reading = Battery(tmp_path).read()
    assert reading.value == pytest.approx(8.0)
    assert (reading.provenance, reading.scope) == (Provenance.MEASURED, "device")


def test_current_times_voltage_is_derived(tmp_path: Path) -> None:
    battery(tmp_path, current_now=1_000_000, voltage_now=12_000_000)
    reading = Battery(tmp_path).read()
    assert reading.value == pytest.approx(12.0)
    assert reading.provenance is Provenance.DERIVED


def test_on_the_charger_it_says_what_helps(tmp_path: Path) -> None:
    battery(tmp_path, status="Charging", power_now=20_000_000)
    reading = Battery(tmp_path).read()
    assert reading.value is None
    assert reading.remedy == "unplug the charger."


@pytest.mark.parametrize("files", [{}, {"power_now": 0}, {"current_now": "?"}])
def test_no_figure_is_unknown_not_zero(tmp_path: Path, files: dict[str, object]) -> None:
    battery(tmp_path, **files)
    assert Battery(tmp_path).read().value is None


def test_no_battery(tmp_path: Path) -> None:
    assert Battery(tmp_path).read().reason == "no battery"
