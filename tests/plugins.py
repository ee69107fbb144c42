"""Writes an installed package that brings a device, as a third party's would."""

from __future__ import annotations

from pathlib import Path


def install_plugin(site: Path, entries: dict[str, str], source: str = "") -> Path:
    """Put a package with the entry points `entries` (scheme -> "module:object") into `site`.

    `source`, if given, becomes the module `plugin_device` there. Returns `site`, for sys.path.
    """
    info = site / "plugin_device-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-device\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[edge_sdk.devices]", *lines, ""]))
    if source:
        (site / "plugin_device.py").write_text(source)
    return site
