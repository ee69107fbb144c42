"""`edge-sdk devices`: lists what a model could run on here, and what keeps the rest from it.

It knows DeviceInfo and how it is shown; the registry finds the devices.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from edge_sdk.cli.output import format_bytes, print_json, print_table

if TYPE_CHECKING:
    from edge_sdk.device import DeviceInfo


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `devices` and its options."""
    parser = subparsers.add_parser(
        "devices",
        help="list the devices of this machine, the unusable ones with the reason",
        description="List every device that a model could run on, whether it is usable or not.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the list; exit code 0 even if nothing is usable."""
    from edge_sdk.registry import best_of, list_devices

    devices = list_devices()
    best = best_of(devices)
    if args.json:
        chosen = best.uri if best else None
        print_json({"auto": chosen, "devices": [asdict(info) for info in devices]})
        return 0
    print_table(
        ["DEVICE", "STATE", "MEMORY", "NAME"],
        [[info.uri, _state(info, info is best), _memory(info), info.name] for info in devices],
        [_notes(info) for info in devices],
    )
    return 0


def _memory(info: DeviceInfo) -> str:
    return "–" if info.memory is None else format_bytes(info.memory)


def _state(info: DeviceInfo, is_best: bool) -> str:
    if info.usable:
        if is_best:
            return "usable, picked by auto"
        return "usable, when named" if info.named_only else "usable"
    return "not usable"


def _notes(info: DeviceInfo) -> list[str]:
    if info.usable:
        return []
    remedy = [f"remedy: {info.remedy}"] if info.remedy else []
    return [f"reason: {info.reason or 'the provider gives none.'}", *remedy]
