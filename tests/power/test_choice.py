"""Which source is used where, and the machine that has none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from edge_sdk.devices.power import (
    UNNAMED_GPU,
    Sensors,
    best_power_source,
    process,
    read_all,
)
from edge_sdk.telemetry import Provenance
from tests.power.trees import battery, chip, rapl_zone, write


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    yield


def test_a_bare_machine_says_what_was_tried_and_what_would_help(tmp_path: Path) -> None:
    reading = best_power_source("cpu", root=tmp_path).read()
    assert (reading.value, reading.provenance) == (None, Provenance.UNAVAILABLE)
    for word in ("no power sensor was found: ", "RAPL", "power monitor chip", "battery"):
        assert word in (reading.reason or "")
    assert "external power meter" in (reading.remedy or "")


def test_cpu_prefers_rapl_then_hwmon_then_battery(tmp_path: Path) -> None:
    source = best_power_source("cpu", root=tmp_path)
    battery(tmp_path, power_now=9_000_000)
    assert source.read().source == "battery BAT0"
    chip(tmp_path, 0, "amdgpu", power1_average=50_000_000)
    assert source.read().source == "battery BAT0"
    chip(tmp_path, 1, "ina226", power1_input=4_000_000)
    assert source.read().source.startswith("ina226")
    zone = rapl_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    source = best_power_source("cpu", root=tmp_path)
    source.read()
    write(zone, energy_uj=1_000_000)
    reading = None
    while reading is None or not reading.source.startswith("RAPL"):
        reading = source.read()
    assert reading.available


def test_what_can_be_mended_comes_first(tmp_path: Path) -> None:
    battery(tmp_path, status="Full")
    reading = best_power_source("cpu", root=tmp_path).read()
    assert (reading.reason or "").startswith("the battery is not discharging")
    assert reading.remedy == "unplug the charger."


def test_gpu_takes_amd_only_where_no_nvidia_driver_is_loaded(tmp_path: Path) -> None:
    chip(tmp_path, 0, "amdgpu", power1_average=50_000_000)
    assert best_power_source("gpu", root=tmp_path).read().value == 50.0
    write(tmp_path / "module" / "nvidia")
    reading = best_power_source("gpu", root=tmp_path).read()
    assert reading.value is None
    assert "nvidia-ml-py" in (reading.reason or "")


@pytest.mark.parametrize("kind", ["board", "simulator", ""])
def test_other_kinds_have_no_source(tmp_path: Path, kind: str) -> None:
    assert best_power_source(kind, root=tmp_path).read().value is None


def test_macos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "powermetrics" in (best_power_source("gpu", root=tmp_path).read().remedy or "")


def test_all_readings_of_a_cpu(tmp_path: Path) -> None:
    readings = read_all("cpu", root=tmp_path)
    assert readings.keys() == {
        "power",
        "process_memory",
        "machine_memory",
        "machine_memory_total",
        "temperature",
        "utilisation",
    }
    assert (readings["process_memory"].value or 0) > 1_000_000
    total = readings["machine_memory_total"].value or 0
    assert 0 < (readings["machine_memory"].value or 0) < total


def test_all_readings_of_a_gpu_without_a_driver(tmp_path: Path) -> None:
    readings = Sensors("gpu", root=tmp_path).read()
    for name in ("power", "device_memory", "temperature", "utilisation"):
        assert readings[name].value is None, name
        assert readings[name].reason


def test_temperature_takes_the_hottest_sensor_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    chips = {
        "nvme": [SimpleNamespace(current=70.0)],
        "coretemp": [SimpleNamespace(current=51.0), SimpleNamespace(current=55.0)],
    }
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: chips, raising=False)
    assert process.cpu_temperature().value == 55.0
    monkeypatch.delattr(psutil, "sensors_temperatures")
    missing = process.cpu_temperature()
    assert missing.value is None
    assert missing.reason
    assert missing.remedy


def test_psutil_errors_become_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "Process", denied)
    monkeypatch.setattr(psutil, "virtual_memory", denied)
    assert all(reading.value is None for reading in process.memory().values())
    monkeypatch.setattr(psutil, "cpu_times", denied)
    assert process.CpuLoad().read().value is None


def test_cpu_load_needs_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([(1.0, 10.0), (1.0, 10.0), (3.0, 14.0)])
    monkeypatch.setattr(process, "_cpu_times", lambda: next(looks))
    load = process.CpuLoad()
    assert load.read().value is None
    assert load.read().value == pytest.approx(50.0)


def test_a_gpu_that_is_not_told_apart_has_no_other_cards_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sdk.devices.power._card", lambda *_: pytest.fail("a card was asked"))
    readings = Sensors(UNNAMED_GPU, root=tmp_path).read()
    for name in ("power", "temperature", "utilisation"):
        assert not readings[name].available
        assert "which card" in (readings[name].reason or "")
    assert readings["process_memory"].available
