"""The calls of NVIDIA's driver library that launching, copying and waiting take.

It knows libcuda's functions and what their error codes mean; it does not know models or kernels.
Every function works on the context that is current in the calling thread (`use`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import DeviceDisconnected, EdgeError

_MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_MULTIPROCESSORS = 16  # CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
_COOPERATIVE = 95  # CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH
_PORTABLE = 1  # CU_MEMHOSTALLOC_PORTABLE
_RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED

_OUT_OF_MEMORY = 2
_LOST = {46, 101, 214, 700, 702, 708, 710, 714, 715, 716, 717, 718, 719, 999}
"""Codes after which a context answers no more: card gone, ECC error, illegal access, trap, ..."""

_pointer, _size = ctypes.c_void_p, ctypes.c_size_t


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libcuda.so.1")
    address = ctypes.c_uint64
    arguments: dict[str, tuple[Any, ...]] = {
        "cuCtxSetCurrent": (_pointer,),
        "cuMemcpyHtoD_v2": (address, _pointer, _size),
        "cuMemcpyDtoH_v2": (_pointer, address, _size),
        "cuMemcpyDtoDAsync_v2": (address, address, _size, _pointer),
        "cuMemsetD8Async": (address, ctypes.c_ubyte, _size, _pointer),
        "cuStreamSynchronize": (_pointer,),
        "cuMemFreeHost": (_pointer,),
        "cuLaunchKernel": (_pointer, *[ctypes.c_uint] * 7, _pointer, _pointer, _pointer),
        "cuLaunchCooperativeKernel": (_pointer, *[ctypes.c_uint] * 7, _pointer, _pointer),
        "cuGraphLaunch": (_pointer, _pointer),
        "cuGraphDestroy": (_pointer,),
        "cuGraphExecDestroy": (_pointer,),
        "cuStreamDestroy_v2": (_pointer,),
    }
    for name, types in arguments.items():
        getattr(library, name).argtypes = types
    return library


def _call(name: str, *arguments: Any) -> None:
    status = getattr(_library(), name)(*arguments)
    if status == 0:
        return
    text = ctypes.c_char_p()
    _library().cuGetErrorName(status, ctypes.byref(text))
    said = (text.value or str(status).encode()).decode()
    if status == _OUT_OF_MEMORY:
        raise MemoryError(f"{name}: {said}")
    if status in _LOST:
        raise DeviceDisconnected(
            f"the GPU stopped answering ({name}: {said}).",
            hint="start the program again; `nvidia-smi` shows whether the card still works.",
        )
    raise EdgeError(
        f"the GPU driver refused {name}: {said}.",
        hint="start the program again, or set EDGE_KERNELS=graph to run without our kernels.",
    )


def use(context: int) -> None:
    """Make `context` current in this thread."""
    _call("cuCtxSetCurrent", context)


def multiprocessors(index: int) -> int:
    """How many multiprocessors CUDA's card `index` has."""
    return _attribute(index, _MULTIPROCESSORS)


def cooperative(index: int) -> bool:
    """Whether the card can be asked to run all blocks of a launch at the same time."""
    return bool(_attribute(index, _COOPERATIVE))


def _attribute(index: int, attribute: int) -> int:
    value, device = ctypes.c_int(), ctypes.c_int()
    _call("cuDeviceGet", ctypes.byref(device), index)
    _call("cuDeviceGetAttribute", ctypes.byref(value), attribute, device)
    return value.value


def upload(address: int, source: int, size: int) -> None:
    """Copy `size` bytes from the host's address `source`; waits."""
    _call("cuMemcpyHtoD_v2", address, source, size)


def download(target: int, address: int, size: int) -> None:
    """Copy `size` bytes to the host's address `target`; waits."""
    _call("cuMemcpyDtoH_v2", target, address, size)


class HostMemory:
    """Locked memory of the host that the card reads and writes at the same address."""

    def __init__(self, size: int) -> None:
        """Raises MemoryError where the system locks no more."""
        address = ctypes.c_void_p()
        _call("cuMemHostAlloc", ctypes.byref(address), _size(size), _PORTABLE)
        self.address = int(address.value or 0)
        self.size = size

    def array(self, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """The memory itself; not to be used after free()."""
        memory = (ctypes.c_ubyte * self.size).from_address(self.address)
        return np.frombuffer(memoryview(memory), dtype)

    def free(self) -> None:
        """Give it back; a second call does nothing."""
        address, self.address = self.address, 0
        if address:
            _call("cuMemFreeHost", address)


class Stream:
    """Work in order, beside that of other streams."""

    def __init__(self) -> None:
        handle = ctypes.c_void_p()
        _call("cuStreamCreate", ctypes.byref(handle), 0)
        self.handle = int(handle.value or 0)

    def wait(self) -> None:
        """Until all is done; raises what went wrong on the way."""
        _call("cuStreamSynchronize", self.handle)

    def copy(self, target: int, source: int, size: int) -> None:
        """From one place on the card to another."""
        _call("cuMemcpyDtoDAsync_v2", target, source, size, self.handle)

    def clear(self, address: int, size: int) -> None:
        """Fill with zero bytes."""
        _call("cuMemsetD8Async", address, 0, size, self.handle)

    def close(self) -> None:
        """End it; a second call does nothing."""
        handle, self.handle = self.handle, 0
        if handle:
            _call("cuStreamDestroy_v2", handle)

    @contextmanager
    def capture(self) -> Iterator[Graph]:
        """What is launched inside becomes a graph instead of running."""
        graph = Graph(self)
        _call("cuStreamBeginCapture_v2", _pointer(self.handle), _RELAXED)
        captured = ctypes.c_void_p()
        try:
            yield graph
        finally:
            _call("cuStreamEndCapture", _pointer(self.handle), ctypes.byref(captured))
        _call("cuGraphInstantiateWithFlags", ctypes.byref(graph.handle), captured, _size(0))
        _call("cuGraphDestroy", captured)


class Graph:
    """A captured sequence of launches that runs with one call."""

    def __init__(self, stream: Stream) -> None:
        self.handle = ctypes.c_void_p()
        self._stream = stream

    def launch(self) -> None:
        """Queue it on its stream."""
        _call("cuGraphLaunch", self.handle, self._stream.handle)

    def close(self) -> None:
        """Free it; a second call does nothing."""
        handle, self.handle = self.handle, ctypes.c_void_p()
        if handle.value:
            _call("cuGraphExecDestroy", handle)


@dataclass(frozen=True)
class Kernel:
    """One kernel of a loaded module."""

    handle: int

    @classmethod
    def find(cls, module: int, name: str, shared: int = 0) -> Kernel:
        """By name; `shared`: the most bytes of dynamic shared memory that it will be given."""
        handle = ctypes.c_void_p()
        _call("cuModuleGetFunction", ctypes.byref(handle), _pointer(module), name.encode())
        if shared > 48 << 10:
            _call("cuFuncSetAttribute", handle, _MAX_DYNAMIC_SHARED, shared)
        return cls(int(handle.value or 0))

    def bind(
        self,
        stream: Stream,
        grid: tuple[int, int, int],
        block: int,
        *values: Any,
        shared: int = 0,
        together: bool = False,
    ) -> Launch:
        """A launch that can be made again and again; `values` are ctypes objects, read each time.

        together: all blocks at the same time, or an error.
        """
        return Launch(self, stream, grid, block, values, shared, together)


class Launch:
    """A kernel with its grid and its arguments."""

    def __init__(
        self,
        kernel: Kernel,
        stream: Stream,
        grid: tuple[int, int, int],
        block: int,
        values: tuple[Any, ...],
        shared: int,
        together: bool,
    ) -> None:
        self._values = values  # alive as long as their addresses are in use
        places = (_pointer * len(values))(
            *(ctypes.cast(ctypes.byref(value), _pointer) for value in values)
        )
        self._name = "cuLaunchCooperativeKernel" if together else "cuLaunchKernel"
        rest = (places,) if together else (places, None)
        self._arguments = (kernel.handle, *grid, block, 1, 1, shared, stream.handle, *rest)

    def __call__(self) -> None:
        """Queue it."""
        _call(self._name, *self._arguments)
