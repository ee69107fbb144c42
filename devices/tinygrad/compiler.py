"""Finds a C compiler for tinygrad's CPU device and prepares tinygrad's environment for it.

It knows clang, the `ziglang` package and the variables that tinygrad reads at import; it does not
import tinygrad.

tinygrad compiles its CPU programs with `$CC -x c ... --target=<arch>-none-unknown-elf - -o -`,
needs a compiler that is clang, and takes one executable name without arguments. Where clang is not
installed, the zig from pip is one, behind a shim that translates two arguments.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import stat
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from edge_sdk import paths
from edge_sdk.errors import EdgeError, MissingExtra, NotFound

OVERRIDE_VARIABLE = "EDGE_CC"
"""Names the compiler to use instead of the one found: one executable that is clang."""

HINT = (
    "install clang with the system's package manager (Debian: `apt install clang`), or run "
    '`pip install "edge-sdk[compiler]"`.'
)

# tinygrad names bare-metal targets in LLVM's words, zig in its own. zig's debug-build extras
# (sanitisers, stack protector, unwind tables) refer to symbols that a bare object cannot resolve.
_SHIM = """#!/bin/sh
for argument do
  shift
  case "$argument" in
    --target=*-none-unknown-elf)
      machine="${{argument#--target=}}"
      set -- "$@" -target "${{machine%%-*}}-freestanding-none" ;;
    -march=native | -mcpu=native) set -- "$@" -mcpu=native ;;
    *) set -- "$@" "$argument" ;;
  esac
done
export ZIG_GLOBAL_CACHE_DIR="{cache}" ZIG_LOCAL_CACHE_DIR="{cache}"
exec "{zig}" cc -g0 -fno-sanitize=all -fno-stack-protector -fno-asynchronous-unwind-tables "$@"
"""


@dataclass(frozen=True)
class Compiler:
    """A compiler that tinygrad can use."""

    path: Path
    """One executable, taking clang's arguments."""
    kind: str
    """`clang` or `zig`."""
    label: str
    """What a person reads: where it is and, for zig, its version."""

    @property
    def fingerprint(self) -> str:
        """Changes when the compiler does."""
        found = self.path.stat()
        return f"{self.path}:{found.st_size}:{found.st_mtime_ns}:{self.label}"


def find_compiler() -> Compiler:
    """The compiler to use: `EDGE_CC`, else clang on PATH, else the ziglang package.

    Raises NotFound if `EDGE_CC` names nothing, MissingExtra if there is no compiler at all.
    """
    named = os.environ.get(OVERRIDE_VARIABLE)
    if named:
        path = shutil.which(named)
        if path is None:
            raise NotFound(
                f"{OVERRIDE_VARIABLE} is {named!r}, which is not an executable file.",
                hint=f"unset {OVERRIDE_VARIABLE}, or give it the full path of a clang.",
            )
        return Compiler(Path(path), "clang", f"{path} (from {OVERRIDE_VARIABLE})")
    clang = shutil.which("clang")
    if clang is not None:
        return Compiler(Path(clang), "clang", clang)
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations or sys.platform == "win32":
        raise MissingExtra(
            "tinygrad's CPU device needs a C compiler, and neither clang nor the Python package "
            "ziglang was found.",
            hint=HINT,
        )
    zig = Path(spec.submodule_search_locations[0]) / "zig"
    return Compiler(_write_shim(zig), "zig", f"zig {version('ziglang')} (Python package ziglang)")


def _write_shim(zig: Path) -> Path:
    """Write the translating script once; its name says what it was made for."""
    text = _SHIM.format(zig=zig, cache=paths.cache_dir() / "zig")
    name = "cc-" + hashlib.sha256(text.encode()).hexdigest()[:12]
    shim = paths.ensure(paths.cache_dir()) / name
    if not shim.exists():
        with paths.write_aside(shim) as aside:
            aside.write_text(text)
            aside.chmod(stat.S_IRWXU)
    return shim


@cache
def cpu_features() -> str:
    """The processor's instruction sets as the system names them, for cache keys and `doctor`."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return f"{platform.machine()} {platform.processor()}"


def prepare_environment() -> Compiler | EdgeError:
    """Set what tinygrad reads at import; call it before the first `import tinygrad`.

    Returns the compiler, or the error that opening the CPU device should raise (a GPU works
    without a C compiler, so this is not raised here).
    """
    # tinygrad would fork helper processes that compile in parallel; ours are few and small.
    os.environ.setdefault("PARALLEL", "0")
    # It takes a variable of this name as the number of a device of its own; others put a path in.
    os.environ.pop("PYTHON", None)
    compiler: Compiler | EdgeError
    try:
        compiler = find_compiler()
        os.environ["CC"] = str(compiler.path)
        key = compiler.fingerprint
    except EdgeError as error:
        compiler, key = error, "none"
    # tinygrad keys its compile cache by source text alone: a cache carried to another processor or
    # compiler would load code that cannot run there.
    digest = hashlib.sha256(f"{key}\n{cpu_features()}".encode()).hexdigest()[:16]
    folder = paths.cache_dir() / "tinygrad" / digest
    try:
        os.environ["CACHEDB"] = str(paths.ensure(folder) / "cache.db")
    except EdgeError as error:
        os.environ["CCACHE"] = "0"
        return error if isinstance(compiler, EdgeError) else compiler
    return compiler
