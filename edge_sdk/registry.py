"""Finds device providers by entry point, lists devices and opens them.

It knows the entry-point group `edge_sdk.devices` (name = URI scheme, value = a `Provider`); it does
not know any device module by name, so a third party's board is found just like ours.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from pathlib import Path

from edge_sdk.device import Device, DeviceInfo, Provider
from edge_sdk.errors import DeviceNotFound, EdgeError
from edge_sdk.uri import DeviceURI

GROUP = "edge_sdk.devices"
AUTO_ORDER = ("gpu", "cpu")
"""The kinds that `auto` may pick, best first. A board is used only when it is named."""


@cache
def _own_entry_points(group: str = GROUP) -> tuple[EntryPoint, ...]:
    """Our own entry points in a checkout that is on the path but not installed."""
    try:
        distribution("edge-sdk")
        return ()
    except PackageNotFoundError:
        pyproject = Path(__file__).parent.parent / "pyproject.toml"
        table = tomllib.loads(pyproject.read_text("utf-8"))["project"]["entry-points"][group]
        return tuple(EntryPoint(name, value, group) for name, value in table.items())


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in (*_own_entry_points(), *entry_points(group=GROUP))}


def find_entry(group: str, name: str) -> EntryPoint | None:
    """The entry point `name` of another group: what is installed, else this checkout's."""
    found = (*_own_entry_points(group), *entry_points(group=group))
    return next((entry for entry in reversed(found) if entry.name == name), None)


def _provider(entry: EntryPoint) -> Provider:
    provider: Provider = entry.load()
    return provider


def list_devices() -> list[DeviceInfo]:
    """All devices that any provider knows, the unusable ones too, with reason and remedy.

    A provider that fails is listed as unusable itself; it never hides the others.
    """
    found: list[DeviceInfo] = []
    for name, entry in sorted(_entries().items()):
        try:
            found.extend(_provider(entry).discover())
        except Exception as error:
            found.append(
                DeviceInfo(
                    uri=name,
                    name=f"device provider {entry.value}",
                    kind="provider",
                    usable=False,
                    reason=f"the provider failed: {type(error).__name__}: {error}",
                    remedy=f"update or uninstall the package that provides {entry.value!r}.",
                )
            )
    order = {"gpu": 0, "cpu": 1, "board": 2, "simulator": 3}
    return sorted(found, key=lambda info: (not info.usable, order.get(info.kind, 9), info.uri))


def best_of(devices: Iterable[DeviceInfo]) -> DeviceInfo | None:
    """The device among `devices` that `auto` picks; None if none can be used."""
    usable = [info for info in devices if info.usable and info.kind in AUTO_ORDER]
    # Any is better than none: the CPU may lack a compiler.
    order = [(info.named_only, AUTO_ORDER.index(info.kind)) for info in usable]
    return usable[order.index(min(order))] if usable else None


def choose_device() -> DeviceInfo:
    """The device that `auto` means here: the first GPU known to be faster than the CPU, else that.

    Raises DeviceNotFound that names why each one was passed over.
    """
    devices = list_devices()
    best = best_of(devices)
    if best is not None:
        return best
    # The CPU's own trouble is what a user can mend; a missing GPU is nobody's fault.
    worst = next((info for info in devices if info.kind == "cpu"), None)
    raise DeviceNotFound(
        f"no usable device was found: {worst.reason if worst else 'none is registered'}.",
        hint=worst.remedy if worst else "reinstall edge-sdk.",
    )


def open_device(uri: str = "auto") -> Device:
    """Open a device by URI (see edge_sdk.uri); close it, or use it as a context manager.

    Raises UsageError for a malformed URI, DeviceNotFound for an unknown one.
    """
    parsed = DeviceURI.parse(uri)
    if parsed.scheme == "auto":
        parsed = DeviceURI.parse(choose_device().uri)
    entry = _entries().get(parsed.scheme)
    if entry is None:
        raise DeviceNotFound(
            f"no kind of device is called {parsed.scheme!r}; "
            f"known are auto, {', '.join(sorted(_entries()))}.",
            hint="`edge-sdk devices` lists the devices of this machine.",
        )
    try:
        provider = _provider(entry)
    except EdgeError:
        raise
    except Exception as error:
        raise DeviceNotFound(
            f"the device provider {entry.value!r} could not be loaded: {error}.",
            hint="update or uninstall the package that provides it.",
        ) from error
    return provider.open(parsed)
