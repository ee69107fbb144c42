"""Power of a whole board from INA3221 chips, which watch three rails each (NVIDIA Jetson).

It knows both drivers, hwmon and that of JetPack 4; it does not know boards. The rails overlap (one
feeds others), so only one that is named as the input is taken, and none is added up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edge_sdk.devices.power import hwmon, sysfs
from edge_sdk.telemetry import Provenance, Reading

CHIPS = ("ina3221",)
CHANNELS = (1, 2, 3)
"""Of hwmon; in7 is the sum of the shunts, which is no rail."""

_INPUT = re.compile(r"(^|_)V?IN$", re.IGNORECASE)
"""VDD_IN, POM_5V_IN. Not VIN_SYS_5V0, which is one of several rails behind the input."""


class Ina3221:
    """Watts of the input rail."""

    name = "INA3221"

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self) -> Reading:
        """Watts now, or unavailable; never raises."""
        rails = [*self._hwmon(), *self._jetpack4()]
        if not rails:
            return self._no("no INA3221 power monitor chip")
        used = [(label, reading) for label, reading in rails if label.upper() != "NC"]
        inputs = [reading for label, reading in used if _INPUT.search(label)]
        if not inputs and len(used) == 1:
            inputs = [used[0][1]]
        if len(inputs) != 1:
            return self._no("the INA3221 has several rails and none is named as the input")
        return inputs[0] or self._no("the INA3221 gives no volts and amperes")

    def _hwmon(self) -> Iterator[tuple[str, Reading | None]]:
        """Label and power of each rail."""
        for folder, _ in hwmon.chips(self._root, CHIPS):
            for channel in CHANNELS:
                label = sysfs.text(folder / f"in{channel}_label") or ""
                if label or (folder / f"in{channel}_input").exists():
                    chip = f"INA3221 {label}".strip()
                    yield label, hwmon.product(folder, chip, channel, "board")

    def _jetpack4(self) -> Iterator[tuple[str, Reading | None]]:
        """The same from the older driver, which gives milliwatts itself."""
        drivers = self._root / "bus" / "i2c" / "drivers" / "ina3221x"
        for folder in sysfs.entries(drivers, "*/iio:device*"):
            for channel in range(len(CHANNELS)):
                label = sysfs.text(folder / f"rail_name_{channel}")
                if label is None:
                    continue
                milliwatts = sysfs.number(folder / f"in_power{channel}_input")
                source = f"INA3221 {label} (in_power{channel}_input)"
                yield (
                    label,
                    None
                    if milliwatts is None
                    else Reading(milliwatts / 1e3, "W", Provenance.MEASURED, source, scope="board"),
                )

    def _no(self, reason: str) -> Reading:
        return Reading.unavailable("W", self.name, reason, "")
