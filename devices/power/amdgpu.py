"""Power, memory, temperature and load of one AMD card, as its driver amdgpu tells.

It knows the driver's files; it does not know which library runs the model. Chips that sit in a
processor tell the power of the whole package.
"""

from __future__ import annotations

from pathlib import Path

from edge_sdk.devices.power import hwmon, sysfs
from edge_sdk.telemetry import Provenance, Reading

CHIPS = ("amdgpu",)


class AmdGpu:
    """The `index`-th card."""

    name = "amdgpu"

    def __init__(self, root: Path, index: int = 0) -> None:
        self._root = root
        self._index = index

    @property
    def present(self) -> bool:
        """Whether there is such a card."""
        return self._folder is not None

    @property
    def _folder(self) -> Path | None:
        found = hwmon.chips(self._root, CHIPS)
        return found[self._index][0] if self._index < len(found) else None

    def read(self) -> Reading:
        """Watts now, or unavailable; never raises."""
        folder = self._folder
        if folder is None:
            return self._no("W", "no AMD card")
        reading = hwmon.own_power(folder, "amdgpu", "board")
        return reading or self._no("W", "the amdgpu driver gives no power")

    def details(self) -> dict[str, Reading]:
        """Memory (B), temperature (°C) and utilisation (%), each maybe unavailable."""
        return {
            "device_memory": self._take("B", "device/mem_info_vram_used", 1),
            "device_memory_total": self._take("B", "device/mem_info_vram_total", 1),
            "temperature": self._take("°C", "temp1_input", 1e3),
            "utilisation": self._take("%", "device/gpu_busy_percent", 1),
        }

    def _take(self, unit: str, file: str, divisor: float) -> Reading:
        folder = self._folder
        value = sysfs.number(folder / file) if folder is not None else None
        if value is None:
            return self._no(unit, f"the amdgpu driver gives no {Path(file).name}")
        source = f"amdgpu ({Path(file).name})"
        return Reading(value / divisor, unit, Provenance.MEASURED, source, scope="board")

    def _no(self, unit: str, reason: str) -> Reading:
        return Reading.unavailable(unit, self.name, reason, "")
