"""The C kernels: how their files become one source, and what a loaded program of them offers.

It knows the files and the entry function; it does not know compilers, nor who loads what they make.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from edge_sdk.devices.tinygrad.structures import ModelTable, Op, Work

ENTRY = "edge_entry"
BEFORE = ("types.h", "floats.c", "unpack.c")
TIERS = ("dot_vnni.c", "dot_avx2.c", "dot_neon.c", "dot_scalar.c")
"""Each takes part only if the compiler says that the processor can run it; the first one wins."""
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
    """What owns the code."""


def source(tiers: tuple[str, ...] = TIERS) -> str:
    """The whole C source, with the given dot_*.c files to choose from."""
    folder = files(__package__)
    parts = (*BEFORE, *tiers, *AFTER)
    return "\n".join((folder / name).read_text("utf-8") for name in parts)


def source_sha256() -> str:
    """Of the whole C source, in hexadecimal."""
    return hashlib.sha256(source().encode()).hexdigest()


def at_address(address: int, program: Any) -> Kernels:
    """The kernels whose entry function lies at `address`, in the memory of `program`."""
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)
    # MEASURE wants a model's sizes; any will do for asking the tier.
    work = Work(op=Op.MEASURE, model=ctypes.pointer(ModelTable(width=1, inner=1)))
    call(ctypes.byref(work))
    return Kernels(NAMES[work.tier], call, program)
