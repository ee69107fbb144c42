"""Three rails that overlap: only the one that is named as the input counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.devices.power.ina3221 import Ina3221
from edge_sdk.telemetry import Provenance
from tests.power.trees import chip, write

RAILS = {"in1_label": "VDD_IN", "in2_label": "VDD_CPU_GPU_CV", "in3_label": "NC"}
VALUES = {f"in{n}_input": 5000 for n in (1, 2, 3)} | {"curr1_input": 1200, "curr2_input": 900}


def jetpack4(root: Path, device: int, *rails: tuple[str, object]) -> None:
    folder = root / "bus" / "i2c" / "drivers" / "ina3221x" / "6-0040" / f"iio:device{device}"
    for channel, (name, milliwatts) in enumerate(rails):
        files = {f"rail_name_{channel}": name, f"in_power{channel}_input": milliwatts}
        write(folder, **files)


def test_only_the_input_rail_counts(tmp_path: Path) -> None:
    sum_of_shunts = {"in7_label": "sum of shunt voltages", "in7_input": 99_000}
    chip(tmp_path, 2, "ina3221", **RAILS, **VALUES, **sum_of_shunts)
    reading = Ina3221(tmp_path).read()
    assert reading.value == pytest.approx(6.0)
    assert (reading.provenance, reading.scope) == (Provenance.DERIVED, "board")
    assert "VDD_IN" in reading.source


def test_the_input_rail_may_be_on_another_chip(tmp_path: Path) -> None:
    chip(tmp_path, 1, "ina3221", in1_label="VDD_GPU", in1_input=5000, curr1_input=100)
    chip(tmp_path, 2, "ina3221", **RAILS, **VALUES)
    assert Ina3221(tmp_path).read().value == pytest.approx(6.0)


@pytest.mark.parametrize("third", ["VDDQ", "VIN_SYS_5V0"])
def test_without_an_input_rail_nothing_is_added_up(tmp_path: Path, third: str) -> None:
    rails = {"in1_label": "VDD_GPU_SOC", "in2_label": "VDD_CPU_CV", "in3_label": third}
    chip(tmp_path, 0, "ina3221", **rails, in1_input=5000, curr1_input=100)
    reading = Ina3221(tmp_path).read()
    assert reading.value is None
    assert "none is named as the input" in (reading.reason or "")


def test_the_only_rail_in_use_is_the_board(tmp_path: Path) -> None:
    rails = {"in1_label": "VSYS", "in2_label": "NC", "in3_label": "nc"}
    chip(tmp_path, 0, "ina3221", **rails, in1_input=5000, curr1_input=100)
    assert Ina3221(tmp_path).read().value == pytest.approx(0.5)


def test_the_older_driver_gives_milliwatts(tmp_path: Path) -> None:
    jetpack4(tmp_path, 0, ("POM_5V_IN", 2380), ("POM_5V_GPU", 120), ("POM_5V_CPU", 480))
    reading = Ina3221(tmp_path).read()
    assert (reading.value, reading.provenance) == (2.38, Provenance.MEASURED)


def test_an_input_without_figures_says_so(tmp_path: Path) -> None:
    jetpack4(tmp_path, 0, ("POM_5V_IN", "busy"), ("NC", 3))
    assert Ina3221(tmp_path).read().reason == "the INA3221 gives no volts and amperes"


def test_no_chip(tmp_path: Path) -> None:
    assert Ina3221(tmp_path).read().reason == "no INA3221 power monitor chip"
