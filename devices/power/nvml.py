"""Power, memory, temperature and load of one NVIDIA card, through NVML (package nvidia-ml-py).

It knows the library's calls and why they fail; it does not know CUDA. Nothing is imported or
opened before the first read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

from edge_sdk.telemetry import Provenance, Reading

INSTALL = 'run `pip install "edge-sdk[nvidia]"`.'


class NvmlCard:
    """The card that CUDA calls `index`."""

    name = "NVML"

    def __init__(self, index: int = 0, library: Any = None) -> None:
        """`library` stands in for pynvml in tests."""
        self._index = index
        self._library = library
        self._handle: Any = None

    def read(self) -> Reading:
        """Watts of the whole board now, or unavailable; never raises."""
        return self._take("W", "power", lambda n, card: n.nvmlDeviceGetPowerUsage(card) / 1e3)

    def details(self) -> dict[str, Reading]:
        """Memory (B), temperature (°C) and utilisation (%), each maybe unavailable."""
        memory = "nvmlDeviceGetMemoryInfo"
        return {
            "device_memory": self._take("B", "memory", lambda n, c: getattr(n, memory)(c).used),
            "device_memory_total": self._take(
                "B", "memory", lambda n, c: getattr(n, memory)(c).total
            ),
            "temperature": self._take(
                "°C",
                "temperature",
                lambda n, c: n.nvmlDeviceGetTemperature(c, n.NVML_TEMPERATURE_GPU),
            ),
            "utilisation": self._take(
                "%", "utilisation", lambda n, c: n.nvmlDeviceGetUtilizationRates(c).gpu
            ),
        }

    def _take(self, unit: str, what: str, call: Callable[[Any, Any], float]) -> Reading:
        try:
            library, handle = self._open()
        except ImportError:
            return self._no(unit, "the package nvidia-ml-py is not installed", INSTALL)
        except Exception as error:
            return self._no(
                unit,
                f"NVML could not be opened: {error}",
                "install the NVIDIA driver, or check with `nvidia-smi`.",
            )
        try:
            value = float(call(library, handle))
        except Exception as error:
            return self._no(unit, f"the card does not report its {what}: {error}", "")
        source = f"NVML, GPU {self._index}"
        return Reading(value, unit, Provenance.MEASURED, source, scope="board")

    def _open(self) -> tuple[Any, Any]:
        library = self._library
        if library is None:
            library = self._library = import_module("pynvml")
        if self._handle is None:
            library.nvmlInit()
            self._handle = self._find(library)
        return library, self._handle

    def _find(self, library: Any) -> Any:
        """CUDA counts only what CUDA_VISIBLE_DEVICES names; NVML counts every card."""
        visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
        wanted = visible[self._index] if self._index < len(visible) else ""
        if wanted.startswith(("GPU-", "MIG-")):
            return library.nvmlDeviceGetHandleByUUID(wanted)
        number = int(wanted) if wanted.isdecimal() else self._index
        return library.nvmlDeviceGetHandleByIndex(number)

    def _no(self, unit: str, reason: str, remedy: str) -> Reading:
        return Reading.unavailable(unit, self.name, reason, remedy)
