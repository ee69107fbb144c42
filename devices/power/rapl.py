"""Power of the CPU packages from Intel's and AMD's energy counters (RAPL, Linux powercap).

It knows `powercap/intel-rapl:*/energy_uj` and its traps; it does not know the rest of the machine:
DRAM, disks and fans are not in the figure.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from edge_sdk.devices.power import sysfs
from edge_sdk.telemetry import Provenance, Reading

MIN_SECONDS = 0.001
"""The counters tick about once a millisecond; two reads closer than that differ by nothing."""

NEEDS_ROOT = "RAPL needs root since CVE-2020-8694"
_TOP_LEVEL = re.compile(r"intel-rapl:\d+")


class Rapl:
    """Watts of all CPU packages together, over the time since the last read."""

    name = "RAPL"

    def __init__(self, root: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = root / "class" / "powercap"
        self._clock = clock
        self._last: Reading | None = None
        self._since = clock()
        self._counters = self._read_counters()

    def read(self) -> Reading:
        """Watts since the last read, or unavailable; never raises."""
        counters = self._read_counters()
        if isinstance(counters, Reading):
            self._counters, self._last = counters, None
            return counters
        now = self._clock()
        before = self._counters
        if isinstance(before, Reading) or before.keys() != counters.keys():
            self._counters, self._since = counters, now
            return self._no("the first look at the RAPL counters has no second one yet")
        seconds = now - self._since
        if seconds < MIN_SECONDS:
            return self._last or self._no("the RAPL counters were read twice within 1 ms")
        joules = sum(self._moved(path, before[path], uj) for path, uj in counters.items()) / 1e6
        if joules <= 0:
            # Some virtual machines show a counter that stands still: unknown, not zero watts.
            return self._no("the RAPL counters do not move")
        self._counters, self._since = counters, now
        self._last = Reading(
            joules / seconds,
            "W",
            Provenance.DERIVED,
            f"RAPL, {len(counters)} CPU package{'s' if len(counters) > 1 else ''}",
            scope="package",
            timestamp=now,
            period=seconds,
        )
        return self._last

    def _read_counters(self) -> dict[Path, int] | Reading:
        """Microjoules by package, or the reading that says why there are none.

        Only zones called package-N count: their children are parts of them, and the zone psys
        covers them a second time.
        """
        counters: dict[Path, int] = {}
        for zone in sysfs.entries(self._folder, "intel-rapl:*"):
            name = sysfs.text(zone / "name") or ""
            if not _TOP_LEVEL.fullmatch(zone.name) or not name.startswith("package"):
                continue
            path = zone / "energy_uj"
            try:
                counters[zone] = int(path.read_text("ascii"))
            except PermissionError:
                return self._no(NEEDS_ROOT, f"run `sudo chmod a+r {self._folder}/*/energy_uj`.")
            except (OSError, ValueError):
                return self._no(f"{path.name} of {zone.name} could not be read")
        return counters or self._no("no RAPL energy counter")

    def _moved(self, zone: Path, before: int, after: int) -> int:
        """Microjoules between two looks; the counter starts again at max_energy_range_uj."""
        if after >= before:
            return after - before
        span = sysfs.number(zone / "max_energy_range_uj")
        return after - before + span if span else 0

    def _no(self, reason: str, remedy: str = "") -> Reading:
        return Reading.unavailable("W", self.name, reason, remedy)
