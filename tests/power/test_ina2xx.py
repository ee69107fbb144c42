"""Chips with one channel: found by name, measured before derived."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.devices.power.ina2xx import CHIPS, Ina2xx
from edge_sdk.telemetry import Provenance
from tests.power.trees import chip


def test_ina226_power_is_measured(tmp_path: Path) -> None:
    chip(tmp_path, 0, "acpitz", power1_input=99_000_000)
    chip(tmp_path, 3, "ina226", power1_input=2_500_000, in1_input=5000, curr1_input=400)
    reading = Ina2xx(tmp_path).read()
    assert (reading.value, reading.provenance, reading.scope) == (2.5, Provenance.MEASURED, "rail")


def test_ina219_volts_times_amperes_is_derived(tmp_path: Path) -> None:
    chip(tmp_path, 1, "ina219", in0_input=4, in1_input=5000, curr1_input=400)
    reading = Ina2xx(tmp_path).read()
    assert reading.value == pytest.approx(2.0)
    assert reading.provenance is Provenance.DERIVED


@pytest.mark.parametrize("name", CHIPS)
def test_a_chip_without_figures_is_unavailable(tmp_path: Path, name: str) -> None:
    assert Ina2xx(tmp_path).read().reason == "no INA2xx power monitor chip"
    chip(tmp_path, 0, name, in1_input="n/a")
    assert Ina2xx(tmp_path).read().reason == f"the {name} gives no power"
