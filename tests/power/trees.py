"""Writes small sysfs trees; it knows file layouts of the kernel, not who reads them."""

from __future__ import annotations

from pathlib import Path


def write(folder: Path, **files: object) -> Path:
    """Write each value into the file of that name, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(f"{value}\n", "utf-8")
    return folder


def rapl_zone(root: Path, zone: str, name: str, energy_uj: int, span: int = 1_000_000_000) -> Path:
    folder = root / "class" / "powercap" / zone
    return write(folder, name=name, energy_uj=energy_uj, max_energy_range_uj=span)


def chip(root: Path, number: int, name: str, /, **files: object) -> Path:
    return write(root / "class" / "hwmon" / f"hwmon{number}", name=name, **files)


def battery(root: Path, name: str = "BAT0", /, **files: object) -> Path:
    values: dict[str, object] = {"type": "Battery", "status": "Discharging"} | files
    return write(root / "class" / "power_supply" / name, **values)
