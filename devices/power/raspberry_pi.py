"""Power of a Raspberry Pi 5 from its power management chip, through `vcgencmd pmic_read_adc`.

It knows the command's output and which boards have the chip; it does not know the wall: what USB
devices and the fan take from 5 V, and the converters' loss, are not in the figure.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from edge_sdk.devices.power import sysfs
from edge_sdk.telemetry import Provenance, Reading

COMMAND = ("vcgencmd", "pmic_read_adc")
SECONDS = 1.0
"""Longest wait for the command, against hanging."""

_LINE = re.compile(r"(\w+)_([AV])\s+(?:current|volt)\(\d+\)=([0-9.]+)[AV]")
"""`VDD_CORE_A current(7)=0.78600000A`: rail, kind, value."""

_WITH_CHIP = re.compile(r"Raspberry Pi (5|500|Compute Module 5)")


def is_raspberry_pi(root: Path) -> bool:
    """Whether this machine is one, with or without the chip."""
    return "Raspberry Pi" in _model(root)


class RaspberryPi:
    """Watts of all rails that tell both volts and amperes."""

    name = "Raspberry Pi PMIC"

    def __init__(self, root: Path, run: Callable[[], str] | None = None) -> None:
        """`run` stands in for the command in tests."""
        self._root = root
        self._run = _vcgencmd if run is None else run

    def read(self) -> Reading:
        """Watts now, or unavailable; never raises."""
        model = _model(self._root)
        if not _WITH_CHIP.search(model):
            return self._no(f"the {model} has no current sensor", "use an external power meter.")
        try:
            output = self._run()
        except FileNotFoundError:
            return self._no("vcgencmd is not installed", "run `sudo apt install raspi-utils`.")
        except (OSError, subprocess.SubprocessError) as error:
            return self._no(
                f"vcgencmd failed: {error}",
                "run `sudo usermod -aG video $USER` and log in again.",
            )
        values = {(rail, kind): float(value) for rail, kind, value in _LINE.findall(output)}
        rails = [rail for rail, kind in values if kind == "A" and (rail, "V") in values]
        if not rails:
            return self._no("vcgencmd told no rail with both volts and amperes")
        watts = sum(values[rail, "A"] * values[rail, "V"] for rail in rails)
        source = f"PMIC, {len(rails)} rails (V × A), without 5 V devices and converter loss"
        return Reading(watts, "W", Provenance.DERIVED, source, scope="board")

    def _no(self, reason: str, remedy: str = "") -> Reading:
        return Reading.unavailable("W", self.name, reason, remedy)


def _model(root: Path) -> str:
    """The board's name as the device tree has it; "" where there is none."""
    path = root / "firmware" / "devicetree" / "base" / "model"
    return (sysfs.text(path) or "").rstrip("\x00")


def _vcgencmd() -> str:
    done = subprocess.run(
        COMMAND, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=True
    )
    return done.stdout
