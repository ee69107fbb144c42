"""`python -m edge_sdk.devices.tinygrad.build_objects`: compile the kernels that the package ships.

It knows the compiler, its options and one object for each kind of processor; it does not know how
they are loaded (prebuilt.py). The compiler is the zig that the extra `compiler` pins: whoever runs
this command gets the same bytes, on any machine.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edge_sdk.devices.tinygrad.native import source, source_sha256
from edge_sdk.devices.tinygrad.prebuilt import FOLDER, MANIFEST
from edge_sdk.errors import EdgeError, MissingExtra, VerifyFailed
from edge_sdk.paths import write_aside

ZIG = "0.17.1"
"""The release of the package ziglang that the objects are made with (pyproject.toml pins it)."""

HERE = Path(__file__).parent / FOLDER

# One position-independent library without libc: nothing that it would have to be linked with, no
# symbol undefined (defs), none kept but the entry (-s).
OPTIONS = (
    "-x c -O2 -fPIC -ffreestanding -fno-math-errno -nostdlib -g0 -fno-ident -fno-sanitize=all "
    "-fno-stack-protector -fno-unwind-tables -fno-asynchronous-unwind-tables "
    "-shared -s -Wl,-z,defs -Wl,--build-id=none"
)


@dataclass(frozen=True)
class Target:
    """A kind of processor."""

    machine: str
    """As platform.machine() says it on Linux."""
    cpu: str
    """What zig may use, in its words."""
    features: str
    """The same in the words of /proc/cpuinfo."""


_V3 = "cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"
_VNNI = f"{_V3} avx512f avx512bw avx512cd avx512dq avx512vl avx512_vnni"

# The fastest first. Whole levels of x86-64: with single features on a lower level, clang reads 32
# bytes in two halves, and the AVX2 kernels lose a third of their speed. clzero, which only AMD's
# Zen has, chooses another prefetch (types.h).
TARGETS = {
    "x86_64-avx512vnni-zen": Target("x86_64", "x86_64_v4+avx512vnni+clzero", f"{_VNNI} clzero"),
    "x86_64-avx512vnni": Target("x86_64", "x86_64_v4+avx512vnni", _VNNI),
    "x86_64-avxvnni": Target("x86_64", "x86_64_v3+avxvnni", f"{_V3} avx_vnni"),
    "x86_64-avx2-zen": Target("x86_64", "x86_64_v3+clzero", f"{_V3} clzero"),
    "x86_64-avx2": Target("x86_64", "x86_64_v3", _V3),
    "x86_64-portable": Target("x86_64", "x86_64", ""),
    "aarch64-dotprod": Target("aarch64", "generic+dotprod", "asimd asimddp"),
    "aarch64-neon": Target("aarch64", "generic", "asimd"),
}


def main(arguments: list[str] | None = None) -> int:
    """Build, or compare with what is there; the exit code is that of the error raised, if any."""
    parser = argparse.ArgumentParser(
        prog="python -m edge_sdk.devices.tinygrad.build_objects",
        description="Compile the C kernels for every kind of processor that the package serves.",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; compare with the shipped files"
    )
    options = parser.parse_args(arguments)
    try:
        made = dict(build())
        if options.check:
            compare(made, HERE)
            print("the shipped objects are those of this source.")
        else:
            write(made, HERE)
    except EdgeError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def build() -> Iterator[tuple[str, bytes]]:
    """(file name, bytes) of each object and of the manifest; half a second an object.

    Raises MissingExtra without the pinned compiler, VerifyFailed if it refuses the source.
    """
    zig, text = find_zig(), source()
    listed = []
    with tempfile.TemporaryDirectory(prefix="edge-objects-") as folder:
        for name, target in TARGETS.items():
            data = _compile(zig, target, text, Path(folder))
            print(f"{name}.so: {len(data)} bytes", file=sys.stderr)
            listed.append(_listed(f"{name}.so", target, hashlib.sha256(data).hexdigest()))
            yield f"{name}.so", data
    manifest = {
        "source_sha256": source_sha256(),
        "compiler": f"zig {ZIG}",
        "options": OPTIONS,
        "objects": listed,
    }
    yield MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode()


def find_zig() -> Path:
    """The compiler; raises MissingExtra where it is missing or another release."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        found = "is not installed"
    elif (release := version("ziglang")) != ZIG:
        found = f"has release {release}"
    else:
        return Path(spec.submodule_search_locations[0]) / "zig"
    raise MissingExtra(
        f"the objects are built with ziglang {ZIG}, which {found}.",
        hint=f"run `pip install ziglang=={ZIG}`.",
    )


def _listed(name: str, target: Target, sha256: str) -> dict[str, Any]:
    """An object as the manifest has it."""
    return {
        "name": name,
        "machine": target.machine,
        "cpu": target.cpu,
        "features": target.features.split(),
        "sha256": sha256,
    }


def _compile(zig: Path, target: Target, text: str, folder: Path) -> bytes:
    made = folder / "kernels.so"
    command = [str(zig), "cc", "-target", f"{target.machine}-linux-none", f"-mcpu={target.cpu}"]
    command += [*OPTIONS.split(), "-o", str(made), "-"]
    # A cache of its own, so that nothing but the source and the options has a say.
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(folder), "ZIG_LOCAL_CACHE_DIR": str(folder)}
    done = subprocess.run(
        command, input=text.encode(), capture_output=True, env=os.environ | caches, check=False
    )
    if done.returncode:
        raise VerifyFailed(
            f"zig refused the kernels for {target.cpu}: "
            f"{done.stderr.decode(errors='replace').strip()[-1000:]}",
            hint="correct the C files.",
        )
    return made.read_bytes()


def compare(made: dict[str, bytes], folder: Path) -> None:
    """Raise VerifyFailed unless `folder` holds exactly the files of `made`, byte for byte."""
    there = {path.name: path.read_bytes() for path in folder.iterdir()}
    different = sorted(
        name for name in made.keys() | there.keys() if made.get(name) != there.get(name)
    )
    if different:
        raise VerifyFailed(
            f"these files are not what the source gives: {', '.join(different)}.",
            hint="run `python -m edge_sdk.devices.tinygrad.build_objects`.",
        )


def write(made: dict[str, bytes], folder: Path) -> None:
    """Make `folder` hold the files of `made` and no others."""
    folder.mkdir(exist_ok=True)
    for name, data in made.items():
        with write_aside(folder / name) as aside:
            aside.write_bytes(data)
    for path in folder.iterdir():
        if path.name not in made:
            path.unlink()


if __name__ == "__main__":
    raise SystemExit(main())
