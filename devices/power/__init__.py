"""Chooses the sensors that tell most about a device, and reads them all together.

It knows which source suits which kind of device; it does not know how any of them is read.
A machine without a sensor (most virtual machines) is a normal case: every reading then says why it
is missing and what would help.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from edge_sdk.devices.power import process
from edge_sdk.devices.power.amdgpu import AmdGpu
from edge_sdk.devices.power.battery import Battery
from edge_sdk.devices.power.ina2xx import Ina2xx
from edge_sdk.devices.power.ina3221 import Ina3221
from edge_sdk.devices.power.nvml import NvmlCard
from edge_sdk.devices.power.rapl import Rapl
from edge_sdk.devices.power.raspberry_pi import RaspberryPi, is_raspberry_pi
from edge_sdk.telemetry import PowerSource, Reading

SYSFS = Path("/sys")
UNNAMED_GPU = "unnamed gpu"
"""A kind: a GPU behind a library that does not tell which card of the system it is."""
NO_SENSOR = (
    "run on a machine with a power sensor (most virtual machines have none), "
    "or use an external power meter."
)


class FirstWorking:
    """Several sources in order of preference; each read takes the first that has a figure.

    It asks anew each time, because a battery starts to count when the charger is unplugged and
    RAPL when its file is made readable.
    """

    name = "power"

    def __init__(self, sources: Sequence[PowerSource]) -> None:
        self._sources = sources

    def read(self) -> Reading:
        """Watts, or one unavailable reading with every reason; those that can be mended first."""
        failed: list[Reading] = []
        for source in self._sources:
            reading = source.read()
            if reading.available:
                return reading
            failed.append(reading)
        failed.sort(key=lambda reading: not reading.remedy)
        reasons = "; ".join(reading.reason or "" for reading in failed)
        remedies = " ".join(reading.remedy for reading in failed if reading.remedy)
        if not remedies:
            reasons = f"no power sensor was found: {reasons}"
        sources = ", ".join(source.name for source in self._sources)
        return Reading.unavailable("W", sources, reasons, remedies or NO_SENSOR)


class NoSource:
    """Stands where no sensor can exist, with the reason."""

    name = "power"

    def __init__(self, reason: str, remedy: str = NO_SENSOR) -> None:
        self._reading = reason, remedy

    def read(self) -> Reading:
        """Always unavailable."""
        return Reading.unavailable("W", self.name, *self._reading)


def best_power_source(device_kind: str, index: int = 0, root: Path = SYSFS) -> PowerSource:
    """The power source (W) for a device of `device_kind` (`cpu`, `gpu`, UNNAMED_GPU); never raises.

    `index` counts the GPUs as CUDA does; `root` is the sysfs tree, for tests.
    """
    if sys.platform == "darwin":
        return NoSource(
            "macOS gives power figures to root only",
            "watch `sudo powermetrics --samplers cpu_power,gpu_power` beside this program.",
        )
    if device_kind == "cpu":
        # Named in a reason only where it is one: elsewhere nobody misses it.
        board = [RaspberryPi(root)] if is_raspberry_pi(root) else []
        return FirstWorking([Rapl(root), *board, Ina3221(root), Ina2xx(root), Battery(root)])
    if device_kind == UNNAMED_GPU:
        return NoSource(*_WHICH)
    if device_kind == "gpu":
        return FirstWorking(_cards(index, root))
    return NoSource(f"no power sensor is known for a device of kind {device_kind!r}")


_WHICH = (
    "OpenCL and WebGPU do not tell which card they use",
    "watch the tool of the card's driver, or name the card itself: cuda:0, amd:0.",
)


def _cards(index: int, root: Path) -> Sequence[AmdGpu | NvmlCard]:
    """Who can tell about the GPU, best first."""
    # Where the NVIDIA driver is loaded, an AMD chip beside it is not the device in use.
    if (root / "module" / "nvidia").exists():
        return [NvmlCard(index)]
    return [AmdGpu(root, index), NvmlCard(index)]


class Sensors:
    """All that can be read about a device from outside it, by the names of `Telemetry`."""

    def __init__(self, kind: str, index: int = 0, root: Path = SYSFS) -> None:
        self._gpu = _card(index, root) if kind == "gpu" else None
        self._kind = kind
        self._power = best_power_source(kind, index, root)
        self._load = process.CpuLoad()

    def read(self) -> dict[str, Reading]:
        """`power` (W), `*_memory` and `*_memory_total` (B), `temperature` (°C), `utilisation` (%).

        `device_memory` is there for a GPU only: a CPU's memory is the machine's.
        """
        readings = {"power": self._power.read(), **process.memory()}
        if self._gpu is not None:
            return readings | self._gpu.details()
        if self._kind == UNNAMED_GPU:
            units = {"temperature": "°C", "utilisation": "%"}
            return readings | {
                name: Reading.unavailable(unit, "none", *_WHICH) for name, unit in units.items()
            }
        return readings | {
            "temperature": process.cpu_temperature(),
            "utilisation": self._load.read(),
        }


def _card(index: int, root: Path) -> AmdGpu | NvmlCard:
    for card in _cards(index, root):
        if isinstance(card, NvmlCard) or card.present:
            return card
    return NvmlCard(index)


def read_all(kind: str, index: int = 0, root: Path = SYSFS) -> dict[str, Reading]:
    """One look at every sensor; takes a tenth of a second, as RAPL and CPU load need two looks.

    Keep a `Sensors` and call `read` where readings are taken again and again.
    """
    sensors = Sensors(kind, index, root)
    time.sleep(0.1)
    return sensors.read()
