"""Power of a whole portable machine, from its battery while it discharges.

It knows `class/power_supply`; it does not know what part of the power the model takes.
"""

from __future__ import annotations

from pathlib import Path

from edge_sdk.devices.power import sysfs
from edge_sdk.telemetry import Provenance, Reading


class Battery:
    """Watts that leave the batteries; nothing while the charger is in."""

    name = "battery"

    def __init__(self, root: Path) -> None:
        self._folder = root / "class" / "power_supply"

    def read(self) -> Reading:
        """Watts now, or unavailable; never raises."""
        batteries = [
            folder
            for folder in sysfs.entries(self._folder, "*")
            if sysfs.text(folder / "type") == "Battery"
            # A mouse's or a headset's battery says scope Device.
            and sysfs.text(folder / "scope") != "Device"
        ]
        if not batteries:
            return self._no("no battery")
        draining = [f for f in batteries if sysfs.text(f / "status") == "Discharging"]
        if not draining:
            return self._no("the battery is not discharging", "unplug the charger.")
        watts, provenance = 0.0, Provenance.MEASURED
        for folder in draining:
            # Some drivers write the discharge as a negative number.
            microwatts = abs(sysfs.number(folder / "power_now") or 0)
            if not microwatts:
                microamperes = abs(sysfs.number(folder / "current_now") or 0)
                microvolts = sysfs.number(folder / "voltage_now") or 0
                microwatts = microamperes * microvolts // 1_000_000
                provenance = Provenance.DERIVED
            if not microwatts:
                return self._no(f"the battery {folder.name} gives neither power nor current")
            watts += microwatts / 1e6
        names = ", ".join(folder.name for folder in draining)
        return Reading(watts, "W", provenance, f"battery {names}", scope="device")

    def _no(self, reason: str, remedy: str = "") -> Reading:
        return Reading.unavailable("W", self.name, reason, remedy)
