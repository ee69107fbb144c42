"""Memory of this process and of the machine, CPU temperature and load, through psutil.

It knows what psutil offers on this system; it does not know what the memory is used for.
"""

from __future__ import annotations

from typing import Any

import psutil

from edge_sdk.telemetry import Provenance, Reading

_CPU_CHIPS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal")
"""Names under which Linux drivers report a CPU's temperature, best first."""


def memory() -> dict[str, Reading]:
    """Bytes: `process_memory` (resident), `machine_memory` (used) and `machine_memory_total`."""
    readings: dict[str, Reading] = {}
    try:
        resident = psutil.Process().memory_info().rss
        readings["process_memory"] = _bytes(resident, "resident set size", "process")
    except (psutil.Error, OSError) as error:
        readings["process_memory"] = _no("B", f"the process memory could not be read: {error}")
    try:
        machine = psutil.virtual_memory()
        readings["machine_memory"] = _bytes(
            machine.total - machine.available, "operating system", "machine"
        )
        readings["machine_memory_total"] = _bytes(machine.total, "operating system", "machine")
    except (psutil.Error, OSError) as error:
        unknown = _no("B", f"the machine's memory could not be read: {error}")
        readings["machine_memory"] = readings["machine_memory_total"] = unknown
    return readings


def cpu_temperature() -> Reading:
    """Degrees Celsius of the CPU, its hottest sensor, or unavailable."""
    try:
        # Missing on systems where psutil knows no sensor.
        chips: dict[str, list[Any]] = getattr(psutil, "sensors_temperatures", dict)()
    except (psutil.Error, OSError, ValueError) as error:
        return _no("°C", f"the temperature sensors could not be read: {error}")
    for name in _CPU_CHIPS:
        values = [entry.current for entry in chips.get(name, []) if entry.current]
        if values:
            return Reading(float(max(values)), "°C", Provenance.MEASURED, name, scope="package")
    return _no(
        "°C",
        "this machine shows no CPU temperature sensor",
        "use a machine that shows one (most virtual machines show none).",
    )


class CpuLoad:
    """Share of all CPU cores in use since the last read."""

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = _cpu_times()

    def read(self) -> Reading:
        """Percent, 100 when every core is busy, or unavailable before any time has passed."""
        before, self._before = self._before, _cpu_times()
        if before is None or self._before is None:
            return _no("%", "the CPU's load could not be read")
        busy, total = (after - earlier for after, earlier in zip(self._before, before, strict=True))
        if total <= 0:
            # Too soon: keep the older look, so that the next read spans some time.
            self._before = before
            return _no("%", "the first look at the CPU's load has no second one yet")
        percent = min(max(100 * busy / total, 0.0), 100.0)
        return Reading(percent, "%", Provenance.DERIVED, "operating system", scope="machine")


def _cpu_times() -> tuple[float, float] | None:
    """(busy, total) seconds of all cores since boot."""
    try:
        times = psutil.cpu_times()
    except (psutil.Error, OSError):
        return None
    # Linux counts guest time in user time as well.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total - times.idle - getattr(times, "iowait", 0.0), total


def _bytes(value: int, source: str, scope: str) -> Reading:
    return Reading(float(value), "B", Provenance.MEASURED, source, scope=scope)


def _no(unit: str, reason: str, remedy: str = "read it again a little later.") -> Reading:
    return Reading.unavailable(unit, "operating system", reason, remedy)
