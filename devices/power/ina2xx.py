"""Power of a supply rail from an INA219, INA226 or a relative with one channel.

It knows the chips' driver; it does not know what a board maker wired to one: the scope is a rail.
"""

from __future__ import annotations

from pathlib import Path

from edge_sdk.devices.power import hwmon
from edge_sdk.telemetry import Reading

CHIPS = ("ina219", "ina220", "ina226", "ina230", "ina231")


class Ina2xx:
    """Watts from the first chip."""

    name = "INA2xx"

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self) -> Reading:
        """Watts now, or unavailable; never raises."""
        found = hwmon.chips(self._root, CHIPS)
        if not found:
            return self._no("no INA2xx power monitor chip")
        folder, chip = found[0]
        # in0 of these chips is the shunt's voltage; in1 is the rail's.
        reading = hwmon.own_power(folder, chip, "rail") or hwmon.product(folder, chip, 1, "rail")
        return reading or self._no(f"the {chip} gives no power")

    def _no(self, reason: str) -> Reading:
        return Reading.unavailable("W", self.name, reason, "")
