"""Finds monitor chips under `class/hwmon` by name and reads one channel of them.

It knows the files of the kernel's hwmon interface (millivolts, milliamperes, microwatts); it does
not know any particular chip. Folder numbers change from boot to boot, so the `name` file decides.
"""

from __future__ import annotations

from pathlib import Path

from edge_sdk.devices.power import sysfs
from edge_sdk.telemetry import Provenance, Reading


def chips(root: Path, names: tuple[str, ...]) -> list[tuple[Path, str]]:
    """Folder and name of each chip whose name is one of `names`, in natural order."""
    return [
        (folder, name)
        for folder in sysfs.entries(root / "class" / "hwmon", "hwmon*")
        if (name := sysfs.text(folder / "name")) in names
    ]


def own_power(folder: Path, chip: str, scope: str) -> Reading | None:
    """The chip's own power figure; drivers call it `average` or `input`."""
    for file in ("power1_average", "power1_input"):
        microwatts = sysfs.number(folder / file)
        if microwatts is not None:
            source = f"{chip} ({file})"
            return Reading(microwatts / 1e6, "W", Provenance.MEASURED, source, scope=scope)
    return None


def product(folder: Path, chip: str, channel: int, scope: str) -> Reading | None:
    """Volts times amperes of one channel."""
    millivolts = sysfs.number(folder / f"in{channel}_input")
    milliamperes = sysfs.number(folder / f"curr{channel}_input")
    if millivolts is None or milliamperes is None:
        return None
    watts = millivolts * milliamperes / 1e6
    return Reading(watts, "W", Provenance.DERIVED, f"{chip} (V × A)", scope=scope)
