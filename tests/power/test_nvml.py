"""NVML: figures of one card, and every way in which the library can be missing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edge_sdk.devices.power import nvml
from edge_sdk.devices.power.nvml import NvmlCard
from edge_sdk.telemetry import Provenance


class FakeNvml:
    """Answers like pynvml for a card whose handle is its number."""

    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *, driver: bool = True) -> None:
        self.driver = driver

    def nvmlInit(self) -> None:
        if not self.driver:
            raise RuntimeError("NVML Shared Library Not Found")

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return f"card {index}"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        return uuid

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:
        return {"card 0": 71_500, "card 3": 300_000, "GPU-abc": 5_000}[handle]

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:
        return SimpleNamespace(used=2**30, total=2**36)

    def nvmlDeviceGetTemperature(self, handle: str, kind: int) -> int:
        return 41

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> Any:
        raise RuntimeError("Not Supported")


@pytest.fixture(autouse=True)
def all_cards_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_figures_and_a_missing_one() -> None:
    card = NvmlCard(0, FakeNvml())
    power = card.read()
    assert (power.value, power.unit, power.provenance) == (71.5, "W", Provenance.MEASURED)
    details = card.details()
    assert details["device_memory"].value == 2**30
    assert details["device_memory_total"].value == 2**36
    assert details["temperature"].value == 41
    assert details["utilisation"].value is None
    assert "Not Supported" in (details["utilisation"].reason or "")


@pytest.mark.parametrize(("visible", "watts"), [("3,0", 300.0), ("GPU-abc", 5.0), ("", 71.5)])
def test_index_counts_visible_cards_as_cuda_does(
    monkeypatch: pytest.MonkeyPatch, visible: str, watts: float
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert NvmlCard(0, FakeNvml()).read().value == watts


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(nvml, "import_module", missing)
    reading = NvmlCard().read()
    assert reading.value is None
    assert 'pip install "edge-sdk[nvidia]"' in (reading.remedy or "")


def test_missing_driver_is_a_sentence() -> None:
    reading = NvmlCard(0, FakeNvml(driver=False)).read()
    assert reading.value is None
    assert "NVML Shared Library Not Found" in (reading.reason or "")
    assert "driver" in (reading.remedy or "")
