"""An AMD card by its number, with memory, temperature and load."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.devices.power import Sensors
from edge_sdk.devices.power.amdgpu import AmdGpu
from edge_sdk.telemetry import Provenance
from tests.power.trees import chip, write


@pytest.mark.parametrize("file", ["power1_average", "power1_input"])
def test_power_by_index(tmp_path: Path, file: str) -> None:
    chip(tmp_path, 2, "amdgpu", **{file: 30_000_000})
    chip(tmp_path, 10, "amdgpu", **{file: 45_000_000})
    assert AmdGpu(tmp_path, 1).read().value == 45.0
    assert AmdGpu(tmp_path, 2).read().value is None


def test_everything_that_the_driver_tells(tmp_path: Path) -> None:
    folder = chip(tmp_path, 0, "amdgpu", power1_average=30_000_000, temp1_input=61_000)
    used, total = 2 * 2**30, 16 * 2**30
    write(
        folder / "device",
        gpu_busy_percent=97,
        mem_info_vram_used=used,
        mem_info_vram_total=total,
    )
    readings = Sensors("gpu", 0, tmp_path).read()
    assert readings["power"].value == 30.0
    assert readings["temperature"].value == 61.0
    assert readings["utilisation"].value == 97.0
    assert readings["device_memory"].value == used
    assert readings["device_memory_total"].value == total
    assert readings["temperature"].provenance is Provenance.MEASURED


def test_what_the_driver_does_not_tell_is_unavailable(tmp_path: Path) -> None:
    chip(tmp_path, 0, "amdgpu")
    card = AmdGpu(tmp_path)
    assert card.read().reason == "the amdgpu driver gives no power"
    assert card.details()["utilisation"].reason == "the amdgpu driver gives no gpu_busy_percent"
