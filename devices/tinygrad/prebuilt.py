"""The C kernels as the package ships them, compiled: which object fits this processor, loaded.

It knows the manifest beside the objects and the processor's features; it does not know how they
are built (build_objects.py) or when they are used (fast_path.py). No compiler and no tinygrad take
part: an object is a shared library of one function, which the system itself loads.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import platform
import sys
from dataclasses import dataclass
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from typing import Any

from edge_sdk.devices.tinygrad.compiler import cpu_features
from edge_sdk.devices.tinygrad.native import ENTRY, Kernels, at_address, source_sha256
from edge_sdk.errors import VerifyFailed

FOLDER = "objects"
MANIFEST = "manifest.json"
REBUILD = "run `python -m edge_sdk.devices.tinygrad.build_objects`."
REINSTALL = "reinstall edge-sdk: `pip install --force-reinstall edge-sdk`."


@dataclass(frozen=True)
class Entry:
    """One object of the manifest."""

    name: str
    """Its file name."""
    machine: str
    """As platform.machine() says it on Linux."""
    features: tuple[str, ...]
    """What /proc/cpuinfo must list: every instruction set that the compiler was allowed."""
    sha256: str


def objects() -> Traversable:
    """The folder of the objects, which may lie in a zip archive."""
    return files(__package__) / FOLDER


def read_manifest() -> tuple[str, list[Entry]]:
    """(SHA-256 of the source that the objects were built from, the objects, the fastest first)."""
    told: dict[str, Any] = json.loads((objects() / MANIFEST).read_text("utf-8"))
    entries = [
        Entry(one["name"], one["machine"], tuple(one["features"]), one["sha256"])
        for one in told["objects"]
    ]
    return told["source_sha256"], entries


def choose_object(machine: str, features: str, entries: list[Entry]) -> Entry | None:
    """The first object that runs on a `machine` with these `features` (words between spaces).

    Linux lists a feature only if it saves the registers that it needs, too.
    """
    have = set(features.split())
    fitting = (one for one in entries if one.machine == machine and have.issuperset(one.features))
    return next(fitting, None)


def load_prebuilt() -> Kernels | None:
    """The kernels for this processor; None where none are shipped for such a machine.

    Raises what load_object raises.
    """
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        return None
    built_from, entries = read_manifest()
    entry = choose_object(platform.machine(), cpu_features(), entries)
    if entry is None:
        return None
    if built_from != source_sha256():
        raise VerifyFailed(
            "the prebuilt kernels were made from other C files than those at hand.", hint=REBUILD
        )
    return load_object(entry)


def load_object(entry: Entry) -> Kernels:
    """Load an object that this processor can run.

    Raises VerifyFailed where it is not what the manifest says, OSError where the system refuses it.
    """
    # From a zip archive, the file is there for as long as it is needed: until it is mapped.
    with as_file(objects() / entry.name) as path:
        if hashlib.sha256(path.read_bytes()).hexdigest() != entry.sha256:
            raise VerifyFailed(
                f"{entry.name} is damaged: its SHA-256 is not the manifest's.", hint=REINSTALL
            )
        library = ctypes.CDLL(str(path))
    address = ctypes.cast(library[ENTRY], ctypes.c_void_p).value
    return at_address(address or 0, library)
