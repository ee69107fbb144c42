"""Monitor chips: found by name, input rail only, measured before derived."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.devices.power.hwmon import GRAPHICS_CHIPS, POWER_CHIPS, Hwmon
from edge_sdk.telemetry import Provenance
from tests.power.trees import chip


def test_ina226_power_is_measured(tmp_path: Path) -> None:
    chip(tmp_path, 0, "acpitz", power1_input=99_000_000)
    chip(tmp_path, 3, "ina226", power1_input=2_500_000, in1_input=5000, curr1_input=400)
    reading = Hwmon(tmp_path, POWER_CHIPS).read()
    assert (reading.value, reading.provenance, reading.scope) == (2.5, Provenance.MEASURED, "rail")


def test_ina219_volts_times_amperes_is_derived(tmp_path: Path) -> None:
    chip(tmp_path, 1, "ina219", in0_input=4, in1_input=5000, curr1_input=400)
    reading = Hwmon(tmp_path, POWER_CHIPS).read()
    assert reading.value == pytest.approx(2.0)
    assert reading.provenance is Provenance.DERIVED


def test_ina3221_counts_only_the_input_rail(tmp_path: Path) -> None:
    rails = {"in1_label": "VDD_IN", "in2_label": "VDD_CPU_GPU_CV", "in3_label": "NC"}
    values = {f"in{n}_input": 5000 for n in (1, 2, 3)} | {"curr1_input": 1200, "curr2_input": 900}
    chip(tmp_path, 2, "ina3221", **rails, **values)
    reading = Hwmon(tmp_path, POWER_CHIPS).read()
    assert reading.value == pytest.approx(6.0)
    assert "VDD_IN" in reading.source
    assert reading.scope == "board"


def test_ina3221_without_an_input_rail_is_not_summed(tmp_path: Path) -> None:
    rails = {"in1_label": "VDD_GPU_SOC", "in2_label": "VDD_CPU_CV", "in3_label": "VDDQ"}
    chip(tmp_path, 0, "ina3221", **rails, in1_input=5000, curr1_input=100)
    reading = Hwmon(tmp_path, POWER_CHIPS).read()
    assert reading.value is None
    assert "none is named as the input" in (reading.reason or "")


@pytest.mark.parametrize("file", ["power1_average", "power1_input"])
def test_amdgpu_by_index(tmp_path: Path, file: str) -> None:
    chip(tmp_path, 2, "amdgpu", **{file: 30_000_000})
    chip(tmp_path, 10, "amdgpu", **{file: 45_000_000})
    assert Hwmon(tmp_path, GRAPHICS_CHIPS, 1).read().value == 45.0
    assert Hwmon(tmp_path, GRAPHICS_CHIPS, 2).read().value is None


@pytest.mark.parametrize("name", POWER_CHIPS)
def test_a_chip_without_figures_is_unavailable(tmp_path: Path, name: str) -> None:
    chip(tmp_path, 0, name, in1_input="n/a")
    assert Hwmon(tmp_path, POWER_CHIPS).read().value is None
