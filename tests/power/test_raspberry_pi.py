"""The power management chip of a Raspberry Pi 5, and the models that have none."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sdk.devices.power import best_power_source
from edge_sdk.devices.power.raspberry_pi import RaspberryPi, is_raspberry_pi
from edge_sdk.telemetry import Provenance
from tests.power.trees import battery, write

OUTPUT = """\
 3V7_WL_SW_A current(0)=0.10000000A
   3V3_SYS_A current(1)=0.20000000A
  VDD_CORE_A current(7)=2.00000000A
  3V7_WL_SW_V volt(8)=3.70000000V
    3V3_SYS_V volt(9)=3.30000000V
   VDD_CORE_V volt(15)=0.80000000V
     EXT5V_V volt(24)=5.15000000V
      BATT_V volt(25)=0.00000000V
"""


def pi(root: Path, model: str = "Raspberry Pi 5 Model B Rev 1.0") -> Path:
    write(root / "firmware" / "devicetree" / "base", model=f"{model}\x00")
    return root


def fails(error: Exception) -> Callable[[], str]:
    def run() -> str:
        raise error

    return run


def test_rails_with_volts_and_amperes_are_added_up(tmp_path: Path) -> None:
    reading = RaspberryPi(pi(tmp_path), lambda: OUTPUT).read()
    assert reading.value == pytest.approx(0.1 * 3.7 + 0.2 * 3.3 + 2.0 * 0.8)
    assert (reading.provenance, reading.scope) == (Provenance.DERIVED, "board")
    assert "3 rails" in reading.source
    assert "without 5 V devices" in reading.source


@pytest.mark.parametrize("model", ["Raspberry Pi 4 Model B Rev 1.4", "Raspberry Pi Zero 2 W"])
def test_models_without_the_chip_say_so(tmp_path: Path, model: str) -> None:
    reading = RaspberryPi(pi(tmp_path, model), fails(AssertionError())).read()
    assert reading.reason == f"the {model} has no current sensor"
    assert reading.remedy == "use an external power meter."


@pytest.mark.parametrize(
    ("run", "reason", "remedy"),
    [
        (fails(FileNotFoundError()), "not installed", "apt install"),
        (fails(subprocess.CalledProcessError(1, "vcgencmd")), "vcgencmd failed", "usermod"),
        (fails(subprocess.TimeoutExpired("vcgencmd", 1)), "vcgencmd failed", "usermod"),
        (fails(PermissionError("no")), "vcgencmd failed", "usermod"),
        (lambda: "VCHI initialization failed", "no rail", ""),
    ],
)
def test_a_command_that_fails_is_a_reason(
    tmp_path: Path, run: Callable[[], str], reason: str, remedy: str
) -> None:
    reading = RaspberryPi(pi(tmp_path), run).read()
    assert reading.value is None
    assert reason in (reading.reason or "")
    assert remedy in (reading.remedy or "")


def test_it_is_asked_only_where_it_is(tmp_path: Path) -> None:
    assert not is_raspberry_pi(tmp_path)
    assert "Raspberry" not in (best_power_source("cpu", root=tmp_path).read().reason or "")
    pi(tmp_path, "Raspberry Pi 4 Model B")
    assert "no current sensor" in (best_power_source("cpu", root=tmp_path).read().reason or "")
    battery(tmp_path, power_now=9_000_000)
    assert best_power_source("cpu", root=tmp_path).read().value == 9.0
