"""Compiles the C kernels as a tinygrad program and loads it: the only user of tinygrad's UOps.

It knows tinygrad's program contract and how the C files become one source; it does not know models
or sessions. tinygrad calls this interface unstable: an upgrade changes this file and no other.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from tinygrad import Device, UOp, dtypes
from tinygrad.engine.realize import get_runtime
from tinygrad.uop.ops import KernelInfo, Ops, ProgramInfo

from edge_sdk.devices.tinygrad.structures import ModelTable, Op, Work

ENTRY = "edge_entry"
BEFORE = ("types.h", "floats.c")
TIERS = ("dot_vnni.c", "dot_avx2.c", "dot_neon.c", "dot_scalar.c")
"""Each takes part only if the compiler says that this processor can run it; the first one wins."""
AFTER = ("pool.c", "product.c", "token.c", "entry.c")
NAMES = {
    1: "portable C",
    2: "AVX2",
    3: "AVX512-VNNI",
    4: "NEON",
    5: "NEON dot product",
    6: "AVX-VNNI",
}
"""The constant TIER of each dot_*.c -> what a person calls it."""


@dataclass(frozen=True)
class Kernels:
    """The loaded program."""

    tier: str
    """Which dot product it was compiled with, in the words of NAMES."""
    call: Callable[[Any], None]
    """Runs one Work, given by ctypes.byref; releases the GIL meanwhile. Any thread may call it."""
    program: Any
    """tinygrad's program object, which owns the code."""


def source(tiers: tuple[str, ...] = TIERS) -> str:
    """The whole C source, with the given dot_*.c files to choose from."""
    folder = files(__package__)
    return "\n".join((folder / name).read_text() for name in (*BEFORE, *tiers, *AFTER))


def load_kernels(tiers: tuple[str, ...] = TIERS) -> Kernels:
    """Compile (or find in the cache) and load the kernels; runs on the engine thread.

    Raises what tinygrad or the compiler raises.
    """
    return load_source(source(tiers))


@cache
def load_source(text: str) -> Kernels:
    """The same for a given source text, as `source` makes it."""
    program = get_runtime("CPU", _program_uop(text))
    # tinygrad's own launch builds a list of ctypes objects for each call: this is its address.
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(program.addr)
    # MEASURE wants a model's sizes; any will do for asking the tier.
    work = Work(op=Op.MEASURE, model=ctypes.pointer(ModelTable(width=1, inner=1)))
    call(ctypes.byref(work))
    return Kernels(NAMES[work.tier], call, program)


def _program_uop(text: str) -> UOp:
    """The PROGRAM of one pointer argument that tinygrad loads: sink, linear, source and binary."""
    work = UOp.placeholder((ctypes.sizeof(Work),), dtypes.uint8, 0)
    sink = UOp.sink(work, arg=KernelInfo(name=ENTRY))
    renderer = Device["CPU"].renderer
    binary = renderer.compiler.compile_cached(text)
    # The launch size and the slots written and read are always given: without them a graph of
    # programs would see no dependencies between them.
    info = ProgramInfo(
        name=ENTRY,
        global_size=(1, 1, 1),
        local_size=(1, 1, 1),
        vars=(),
        globals=(0,),
        outs=(0,),
        ins=(0,),
        target=renderer.target,
    )
    return UOp(
        Ops.PROGRAM,
        src=(
            sink,
            UOp(Ops.LINEAR, src=tuple(sink.toposort())),
            UOp(Ops.SOURCE, arg=text),
            UOp(Ops.BINARY, arg=binary),
        ),
        arg=info,
    )
