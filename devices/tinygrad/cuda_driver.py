"""Names and memory of NVIDIA cards, asked from the driver library itself.

It knows four calls of libcuda; it does not create a context, so asking costs no card memory.
"""

from __future__ import annotations

import ctypes
from functools import cache


@cache
def cuda_devices() -> tuple[tuple[str, int], ...]:
    """(name, bytes of memory) of each card, in CUDA's order; empty without a working driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ()
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return ()
    found = []
    for index in range(count.value):
        handle, memory = ctypes.c_int(), ctypes.c_size_t()
        name = ctypes.create_string_buffer(128)
        if (
            driver.cuDeviceGet(ctypes.byref(handle), index) == 0
            and driver.cuDeviceGetName(name, len(name), handle) == 0
            and driver.cuDeviceTotalMem_v2(ctypes.byref(memory), handle) == 0
        ):
            found.append((name.value.decode(errors="replace"), memory.value))
    return tuple(found)
