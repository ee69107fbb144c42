"""The worker threads that share the kernels' tiles.

It knows how workers are started, woken and joined; it does not know what they compute (pool.c).
"""

from __future__ import annotations

import ctypes
import platform
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

import numpy as np

from edge_sdk.devices.tinygrad.native import Kernels
from edge_sdk.devices.tinygrad.structures import Op, Pool, Span, Work

SPINS = 2000
"""How often an idle worker looks for a tile before it sleeps: some tens of microseconds, longer
than the serial parts between two products."""

_CALLS = {"x86_64": (202, 24), "aarch64": (98, 124), "riscv64": (98, 124)}
"""Machine -> the numbers of Linux's futex and sched_yield."""
_WAKE = 129

Shared = TypeVar("Shared", bound="ctypes.Structure | ctypes.Array[Span]")


class Workers:
    """`threads` - 1 threads that help the one that calls; none where they cannot sleep and wake."""

    def __init__(self, kernels: Kernels, threads: int) -> None:
        numbers = _CALLS.get(platform.machine()) if sys.platform == "linux" else None
        self.threads = threads if numbers else 1
        """How many threads compute, the caller included."""
        self.pool = _aligned(Pool)
        self._spans = _aligned(Span * self.threads)
        self.pool.threads = self.threads
        self.pool.span = ctypes.addressof(self._spans)
        libc = None
        if numbers:
            libc = ctypes.CDLL(None)
            self.pool.futex, yields = numbers
            setattr(self.pool, "yield", yields)  # a keyword of Python
            self.pool.spins = SPINS
            self.pool.call = ctypes.cast(libc.syscall, ctypes.c_void_p)
        started = [
            threading.Thread(
                target=_life,
                args=(kernels, self.pool, index),
                name=f"edge-kernel-{index}",
                daemon=True,
            )
            for index in range(1, self.threads)
        ]
        # Also when Python ends: a worker must not outlive the memory that it waits on.
        stop = partial(_stop, self.pool, self._spans, libc, started)
        self._stop: Callable[[], object] = weakref.finalize(self, stop)
        for thread in started:
            thread.start()

    @property
    def pointer(self) -> ctypes._Pointer[Pool] | None:
        """What a Work's `pool` gets: null for one thread."""
        return ctypes.pointer(self.pool) if self.threads > 1 else None

    def close(self) -> None:
        """Stop the workers and wait until they have ended."""
        self._stop()


def _aligned(kind: type[Shared]) -> Shared:
    """A zeroed `kind` at a multiple of 64 bytes, so that its parts do not share cache lines."""
    memory = np.zeros(ctypes.sizeof(kind) + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return cast(Shared, kind.from_buffer(memory.data, start))


def _life(kernels: Kernels, pool: Pool, index: int) -> None:
    kernels.call(ctypes.byref(Work(op=Op.WORK, pool=ctypes.pointer(pool), count=index)))


def _stop(
    pool: Pool, spans: object, libc: ctypes.CDLL | None, started: list[threading.Thread]
) -> None:
    if libc is None or not started:
        return
    pool.stop = 1
    pool.bell += 1
    bell = ctypes.c_void_p(ctypes.addressof(pool) + Pool.bell.offset)
    libc.syscall(ctypes.c_long(pool.futex), bell, ctypes.c_long(_WAKE), ctypes.c_long(1 << 30))
    for thread in started:
        thread.join()
