"""NVIDIA's driver library as far as sessions need it: copies are made, launches are kept.

It knows addresses of the host's memory only, so what is on the card can be read; it computes
nothing.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge_sdk.devices.tinygrad.cuda import driver
from edge_sdk.devices.tinygrad.cuda.args import Args
from edge_sdk.devices.tinygrad.cuda.program import Program

KERNELS = [
    *("decode", "sums", "embed", "scan", "best", "read", "rows_mixer", "rows_output"),
    *("rows_gate", "rows_down", "rows_head"),
    *(f"{size}_{n}" for size in ("small", "big") for n in ("mixer", "output", "gate", "down")),
    *("small_head", "big_head"),
]


@dataclass
class Launched:
    """One launch: the kernel's name, its grid, and the numbers after Args."""

    name: str
    grid: tuple[int, int, int]
    block: int
    args: Args
    numbers: tuple[int, ...]


class HostPiece:
    """Stands for DeviceMemory: the same, on the host."""

    def __init__(self, device: str, size: int) -> None:
        if size >= 1 << 40:
            raise MemoryError("no card has this much")
        self.size = size
        self._memory = np.full(size + 64, 0xAA, np.uint8)
        self.address = self._memory.ctypes.data + -self._memory.ctypes.data % 64
        self.freed = False

    def free(self) -> None:
        self.freed = True


@dataclass
class FakeLibrary:
    """Functions of libcuda by name; each returns 0, or `fail[name]`."""

    launched: list[Launched] = field(default_factory=list)
    copies: list[tuple[int, int, int]] = field(default_factory=list)
    fail: dict[str, int] = field(default_factory=dict)
    host: list[Any] = field(default_factory=list)
    capturing: bool = False
    graph: list[Launched] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            does = getattr(FakeLibrary, f"do_{name}", None)
            return self.fail.get(name) or (does(self, *arguments) if does else 0)

        return call

    def do_cuGetErrorName(self, status: int, text: Any) -> int:
        text._obj.value = f"CUDA_ERROR_{status}".encode()
        return 0

    def do_cuMemcpyHtoD_v2(self, target: int, source: int, size: int) -> int:
        ctypes.memmove(target, source, size)
        return 0

    do_cuMemcpyDtoH_v2 = do_cuMemcpyHtoD_v2

    def do_cuMemcpyDtoDAsync_v2(self, target: int, source: int, size: int, stream: int) -> int:
        self.copies.append((target, source, size))
        return self.do_cuMemcpyHtoD_v2(target, source, size)

    def do_cuMemsetD8Async(self, address: int, value: int, size: int, stream: int) -> int:
        ctypes.memset(address, value, size)
        return 0

    def do_cuMemHostAlloc(self, pointer: Any, size: Any, flags: int) -> int:
        self.host.append(ctypes.create_string_buffer(size.value))
        pointer._obj.value = ctypes.addressof(self.host[-1])
        return 0

    def do_cuStreamCreate(self, pointer: Any, flags: int) -> int:
        pointer._obj.value = 1
        return 0

    def do_cuStreamBeginCapture_v2(self, stream: Any, mode: int) -> int:
        self.capturing = True
        return 0

    def do_cuStreamEndCapture(self, stream: Any, graph: Any) -> int:
        self.capturing = False
        return 0

    def do_cuGraphLaunch(self, graph: Any, stream: int) -> int:
        self.launched += self.graph
        return 0

    def do_cuLaunchKernel(self, handle: int, *rest: Any) -> int:
        grid, block, places = rest[:3], rest[3], rest[8]
        name = KERNELS[handle - 1]
        args = Args.from_buffer_copy(ctypes.string_at(places[0], ctypes.sizeof(Args)))
        numbers = tuple(ctypes.c_int.from_address(place).value for place in places[1:])
        launch = Launched(name, grid, block, args, numbers)
        (self.graph if self.capturing else self.launched).append(launch)
        return 0

    do_cuLaunchCooperativeKernel = do_cuLaunchKernel

    def names(self) -> list[str]:
        """The kernels launched, in order."""
        return [launch.name for launch in self.launched]


def program(tensor_cores: bool = True) -> Program:
    """All kernels, numbered as in KERNELS."""
    kernel = {name: driver.Kernel(number + 1) for number, name in enumerate(KERNELS)}
    return Program(
        context=1,
        kernel=kernel,
        grid=4,
        threads=256,
        decode_shared=4096,
        product_shared=1 << 16,
        tensor_cores=tensor_cores,
        multiprocessors=4,
    )
