"""OpenCL through tinygrad: which devices there are, compiled kernels, memory.

It knows tinygrad's OpenCL back end and a few calls of OpenCL; it does not know models. Everything
here runs on the engine thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from tinygrad import Device, dtypes
from tinygrad.device import Buffer, BufferSpec, TinyELF
from tinygrad.runtime.autogen import opencl as cl
from tinygrad.runtime.ops_cl import CLDevice, cl_errors

from edge_sdk.errors import DeviceDisconnected, DeviceNotFound

_NO_MEMORY = ("Error -4:", "Error -5:", "Error -6:", "Error -61:")
"""How tinygrad words a failed allocation: of memory, resources, host memory, of that size."""


@dataclass(frozen=True)
class ClDevice:
    """One OpenCL device as its driver describes it."""

    name: str
    platform: str
    version: str
    gpu: bool
    """False for a CPU or another accelerator that speaks OpenCL."""
    memory: int
    """Bytes of global memory; an integrated GPU counts the machine's."""


@cache
def cl_devices() -> tuple[ClDevice, ...]:
    """All devices of all platforms, GPUs first; tinygrad's `CL:1` is then the second of these.

    tinygrad by itself looks at the first platform only, whatever that is. Raises DeviceNotFound
    without a driver or a device.
    """
    found = [
        (_describe(platform, device), device)
        for platform in _platforms()
        for device in _ids(cl.clGetDeviceIDs, cl.cl_device_id, platform, cl.CL_DEVICE_TYPE_ALL)
    ]
    if not found:
        raise DeviceNotFound(
            "OpenCL has no device.", hint="install the OpenCL driver of your GPU; see `clinfo`."
        )
    found.sort(key=lambda pair: not pair[0].gpu)
    CLDevice.device_ids = (cl.cl_device_id * len(found))(*(device for _, device in found))
    return tuple(described for described, _ in found)


def _platforms() -> list[Any]:
    try:
        return _ids(cl.clGetPlatformIDs, cl.cl_platform_id)
    except AttributeError as error:  # tinygrad's way to say that a library is missing
        raise DeviceNotFound(
            "the library libOpenCL was not found.",
            hint="install the OpenCL driver of your GPU (a package with libOpenCL).",
        ) from error


def _ids(ask: Callable[..., int], kind: Any, *of: Any) -> list[Any]:
    """What a call of the form (..., room, ids, &count) lists; nothing where it fails."""
    count = ctypes.c_uint32()
    if ask(*of, 0, None, count) != 0 or not count.value:
        return []
    ids = (kind * count.value)()
    return list(ids) if ask(*of, count.value, ids, None) == 0 else []


def _describe(platform: Any, device: Any) -> ClDevice:
    def text(ask: Callable[..., int], of: Any, what: int) -> str:
        buffer = ctypes.create_string_buffer(512)
        ask(of, what, len(buffer), buffer, None)
        return buffer.value.decode(errors="replace").strip()

    def number(what: int) -> int:
        value = ctypes.c_uint64()
        cl.clGetDeviceInfo(device, what, 8, ctypes.byref(value), None)
        return value.value

    return ClDevice(
        name=text(cl.clGetDeviceInfo, device, cl.CL_DEVICE_NAME),
        platform=text(cl.clGetPlatformInfo, platform, cl.CL_PLATFORM_NAME),
        version=text(cl.clGetDeviceInfo, device, cl.CL_DRIVER_VERSION),
        gpu=bool(number(cl.CL_DEVICE_TYPE) & cl.CL_DEVICE_TYPE_GPU),
        memory=number(cl.CL_DEVICE_GLOBAL_MEM_SIZE),
    )


class Memory:
    """A piece of a device's memory, counted by tinygrad."""

    def __init__(self, device: str, values: npt.NDArray[Any]) -> None:
        """Room for `values`, and a copy of them in it. Raises MemoryError where it does not fit."""
        self.size = values.nbytes
        self._buffer = Buffer(device, self.size, dtypes.uint8, options=BufferSpec(nolru=True))
        try:
            self._buffer.allocate()
            # Some drivers take the memory only now.
            self.write(values)
            Device[device].synchronize()
        except (RuntimeError, DeviceDisconnected) as error:
            self.free()
            if any(word in str(error) for word in _NO_MEMORY):
                raise MemoryError(str(error)) from error
            raise

    @property
    def handle(self) -> Any:
        """The cl_mem."""
        return self._buffer._buf

    def write(self, values: npt.NDArray[Any]) -> None:
        """Copy an array to the start of it."""
        flat = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        allocator = self._buffer.allocator
        # A copy: the driver reads it later, and may not be handed a read-only mapping.
        _checked(lambda: allocator._copyin(self.handle, memoryview(bytearray(flat))))

    def read(self, values: npt.NDArray[Any]) -> None:
        """Fill a contiguous array from the start of it; waits for all work before."""
        flat = values.reshape(-1).view(np.uint8)
        _checked(lambda: self._buffer.allocator._copyout(flat.data, self.handle))

    def free(self) -> None:
        """Give it back; a second call does nothing."""
        if self._buffer.is_allocated():
            self._buffer.deallocate()


class Program:
    """Compiled OpenCL C on one device."""

    def __init__(self, device: str, text: str, entry: str) -> None:
        """Compile (or find in the cache) and load; entry: the name of any kernel in it.

        Raises what tinygrad or the driver raises.
        """
        opened = Device[device]
        # Without a signature: tinygrad's own launch, which sets every argument anew, is not used.
        self._loaded = opened.runtime(TinyELF(text.encode(), entry, opened.renderer.target, ()))

    def bind(
        self,
        name: str,
        groups: tuple[int, int],
        items: int,
        memory: tuple[Memory, ...],
        numbers: tuple[int, ...],
    ) -> Launch:
        """groups[0] x groups[1] groups of `items` work-items; buffers first, then int arguments."""
        return Launch(self._loaded, name, groups, items, memory, numbers)


class Launch:
    """A kernel with all its arguments, to be asked for again and again."""

    def __init__(
        self,
        loaded: Any,
        name: str,
        groups: tuple[int, int],
        items: int,
        memory: tuple[Memory, ...],
        numbers: tuple[int, ...],
    ) -> None:
        status = ctypes.c_int32()
        self._loaded = loaded  # owns the code
        self._kernel = cl.clCreateKernel(loaded.program, name.encode(), status)
        _check(status.value)
        values = [*(piece.handle for piece in memory), *map(ctypes.c_int32, numbers)]
        for index, value in enumerate(values):
            size = ctypes.sizeof(value)
            _check(cl.clSetKernelArg(self._kernel, index, size, ctypes.byref(value)))
        self._total = (ctypes.c_size_t * 2)(groups[0] * items, groups[1])
        self._group = (ctypes.c_size_t * 2)(items, 1)

    def __call__(self) -> None:
        """Ask for it; does not wait."""
        queue = self._loaded.dev.queue
        _check(
            cl.clEnqueueNDRangeKernel(
                queue, self._kernel, 2, None, self._total, self._group, 0, None, None
            )
        )

    def __del__(self) -> None:
        if hasattr(self, "_kernel"):
            cl.clReleaseKernel(self._kernel)


def wait(device: str) -> None:
    """Wait for all that was asked of a device."""
    _checked(Device[device].synchronize)


def _check(status: int) -> None:
    if status != 0:
        raise _lost(f"OpenCL Error {status}: {cl_errors.get(status, 'unknown')}")


def _checked(call: Callable[[], object]) -> None:
    try:
        call()
    except RuntimeError as error:
        raise _lost(str(error)) from error


def _lost(reason: str) -> DeviceDisconnected:
    return DeviceDisconnected(
        f"the OpenCL device stopped answering ({reason}).",
        hint="start the program again, or set EDGE_KERNELS=graph to run without our kernels.",
    )
