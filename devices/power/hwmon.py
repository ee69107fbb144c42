"""Power from monitor chips that Linux lists under `class/hwmon`: INA2xx, INA3221, amdgpu.

It knows these chips by the content of their `name` file (the folder numbers change from boot to
boot); it does not know what a board maker wired to them, so the source names chip and rail.
"""

from __future__ import annotations

import re
from pathlib import Path

from edge_sdk.devices.power import sysfs
from edge_sdk.telemetry import Provenance, Reading

POWER_CHIPS = ("ina219", "ina220", "ina226", "ina230", "ina231", "ina3221")
"""Chips on a supply rail of the board."""

GRAPHICS_CHIPS = ("amdgpu",)
"""Chips that report their own board's power."""

_INPUT_RAIL = re.compile(r"(^|_)V?(IN|DD_IN)($|_)", re.IGNORECASE)


class Hwmon:
    """Watts from the `index`-th chip whose name is one of `chips`."""

    name = "hwmon"

    def __init__(self, root: Path, chips: tuple[str, ...], index: int = 0) -> None:
        self._folder = root / "class" / "hwmon"
        self._chips = chips
        self._index = index

    def read(self) -> Reading:
        """Watts now, or unavailable; never raises."""
        found = [
            (folder, name)
            for folder in sysfs.entries(self._folder, "hwmon*")
            if (name := sysfs.text(folder / "name")) in self._chips
        ]
        if self._index >= len(found):
            return self._no(f"no power monitor chip ({', '.join(self._chips)})")
        folder, name = found[self._index]
        if name == "ina3221":
            return self._ina3221(folder)
        return self._single(folder, str(name))

    def _single(self, folder: Path, chip: str) -> Reading:
        """A chip with one channel: its own power figure, else volts times amperes."""
        scope = "board" if chip in GRAPHICS_CHIPS else "rail"
        # amdgpu calls the figure `average` or `input`, depending on the generation.
        for file in ("power1_average", "power1_input"):
            microwatts = sysfs.number(folder / file)
            if microwatts is not None:
                source = f"{chip} ({file})"
                return Reading(microwatts / 1e6, "W", Provenance.MEASURED, source, scope=scope)
        # in0 of an INA2xx is the shunt's voltage; in1 is the rail's.
        return self._product(folder, chip, 1, scope) or self._no(f"the {chip} gives no power")

    def _ina3221(self, folder: Path) -> Reading:
        """A chip with three channels, which often overlap: only the input rail is the whole."""
        labels = {n: sysfs.text(folder / f"in{n}_label") or "" for n in (1, 2, 3)}
        used = {n: label for n, label in labels.items() if label.upper() != "NC"}
        inputs = [n for n, label in used.items() if _INPUT_RAIL.search(label)]
        if not inputs and len(used) == 1:
            inputs = list(used)
        if len(inputs) != 1:
            return self._no("the ina3221 has several rails and none is named as the input")
        rail = inputs[0]
        chip = f"ina3221 {used[rail]}".strip()
        reading = self._product(folder, chip, rail, "board")
        return reading or self._no("the ina3221 gives no volts and amperes")

    def _product(self, folder: Path, chip: str, channel: int, scope: str) -> Reading | None:
        millivolts = sysfs.number(folder / f"in{channel}_input")
        milliamperes = sysfs.number(folder / f"curr{channel}_input")
        if millivolts is None or milliamperes is None:
            return None
        watts = millivolts * milliamperes / 1e6
        return Reading(watts, "W", Provenance.DERIVED, f"{chip} (V × A)", scope=scope)

    def _no(self, reason: str) -> Reading:
        return Reading.unavailable("W", self.name, reason, "")
