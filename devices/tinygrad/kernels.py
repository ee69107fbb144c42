"""Compiles and loads our kernels, C and CUDA, through tinygrad, of which it uses the internals.

It knows tinygrad's program contract, its compilers and its device memory; it does not know models
or sessions. tinygrad calls this interface unstable: an upgrade changes this file and, for OpenCL,
opencl/driver.py, and no other.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

from tinygrad import Device, UOp, dtypes
from tinygrad.device import Buffer, BufferSpec, TinyELF
from tinygrad.engine.realize import get_runtime
from tinygrad.uop.ops import KernelInfo, Ops, ProgramInfo

from edge_sdk.devices.tinygrad.native import ENTRY, TIERS, Kernels, at_address, source
from edge_sdk.devices.tinygrad.structures import Work


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
    return at_address(program.addr, program)


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


@dataclass(frozen=True)
class CudaModule:
    """Compiled CUDA code on one card."""

    context: int
    """tinygrad's CUcontext: to be current in any thread that uses the module."""
    module: int
    """The CUmodule that holds the kernels."""
    program: Any
    """tinygrad's program object, which owns the module."""


def cuda_arch(device: str) -> str:
    """What CUDA calls the card's instruction set: `sm_90`. `device` is tinygrad's name of it."""
    return str(Device[device].arch)


def load_cuda(device: str, text: str, entry: str) -> CudaModule:
    """Compile (or find in the cache) and load CUDA source; runs on the engine thread.

    entry: the name of any kernel in it. Raises what tinygrad, NVRTC or the driver raises.
    """
    # Not at the top: this import opens libnvrtc.
    from tinygrad.runtime.support.compiler_cuda import NVRTCCompiler

    opened = Device[device]
    # Machine code, where tinygrad's own kernels are PTX that the driver translates at each start.
    binary = NVRTCCompiler(opened.arch, ptx=False, cache_key="edge").compile_cached(text)
    program = opened.runtime(TinyELF(binary, entry, opened.renderer.target, ()))
    return CudaModule(_handle(opened.context), _handle(program.module), program)


class DeviceMemory:
    """A piece of a device's memory, counted by tinygrad and given back to the driver by free()."""

    def __init__(self, device: str, size: int) -> None:
        """Raises MemoryError where it does not fit."""
        self.size = size
        self._buffer = Buffer(device, size, dtypes.uint8, options=BufferSpec(nolru=True)).allocate()
        self.address = int(self._buffer._buf.value)

    def free(self) -> None:
        """Give it back; a second call does nothing."""
        if self._buffer.is_allocated():
            self._buffer.deallocate()


def _handle(pointer: Any) -> int:
    """The number in a ctypes pointer to an opaque structure."""
    return int(ctypes.cast(pointer, ctypes.c_void_p).value or 0)
