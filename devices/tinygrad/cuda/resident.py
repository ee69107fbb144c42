"""A model resident on one card: packed weights once, whatever the number of sessions.

It knows what lies in which memory and who has to wait for whom; it does not know the order of
launches (runs.py).
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.device import Progress
from edge_sdk.devices.tinygrad.cuda import driver
from edge_sdk.devices.tinygrad.cuda.args import Args
from edge_sdk.devices.tinygrad.cuda.program import Program
from edge_sdk.devices.tinygrad.fast_model import Weights
from edge_sdk.devices.tinygrad.kernels import DeviceMemory
from edge_sdk.devices.tinygrad.layout import Layout, matrices, vectors

CHUNK = 512
"""Tokens of a prompt that run at once: at most what the 32 warps of edge_scan take."""
SMALL = 64
"""Up to so many rows the small products are used."""
EMBEDDING_KINDS = {"int8": 0, "float16": 1, "float32": 2}


class Resident:
    """Weights on the card, the embedding in locked memory of the host, and shared working memory.

    Sessions that use it take turns (`turn`): there is one exchange and one set of working arrays.
    """

    def __init__(
        self,
        device: str,
        program: Program,
        model: Weights,
        table: npt.NDArray[Any],
        scales: npt.NDArray[np.float32] | None,
        progress: Progress | None = None,
    ) -> None:
        """table: the embedding [V, d] as stored, int8 with scales [V], float16 or float32."""
        driver.use(program.context)
        self.device, self.program, self.model = device, program, model
        self.layout = Layout(model.config)
        self.turn = threading.RLock()
        self.users = 0
        self._memory: list[DeviceMemory] = []
        self._host: list[driver.HostMemory] = []
        try:
            self.stream = driver.Stream()
            self.args = Args(kind=EMBEDDING_KINDS[table.dtype.name])
            self._place_weights(progress)
            self.args.embed = self._place_on_host(table)
            self.args.embed_scale = self._place_on_host(scales) if scales is not None else 0
            self.args.exchange = self.cleared(self.layout.exchange)
            for name, size in self.layout.scratch(CHUNK).items():
                setattr(self.args, name, self.cleared(size))
        except BaseException:
            self.free()
            raise
        self.fed = 0
        """Tokens that went through the exchange, modulo 2^32: they number what is published."""

    @property
    def device_bytes(self) -> int:
        """Bytes on the card, working memory included; sessions' states are their own."""
        return sum(memory.size for memory in self._memory)

    def cleared(self, size: int) -> int:
        """The address of new zeroed memory on the card; raises MemoryError."""
        memory = DeviceMemory(self.device, size)
        self._memory.append(memory)
        self.stream.clear(memory.address, size)
        return memory.address

    def free(self) -> None:
        """Give everything back; a second call does nothing."""
        driver.use(self.program.context)
        for memory in self._memory:
            memory.free()
        for host in self._host:
            host.free()
        self._memory, self._host = [], []
        if hasattr(self, "stream"):
            self.stream.close()

    def _place_weights(self, progress: Progress | None) -> None:
        layout = self.layout
        self.args.planes = self.cleared(layout.planes)
        self.stream.wait()
        at, count = self.args.planes, 6 * self.model.config.num_layers + 1
        for number, matrix in enumerate(matrices(self.model)):
            driver.upload(at, matrix.ctypes.data, matrix.nbytes)
            at += matrix.nbytes
            if progress is not None:
                progress("loading", min(number + 1, count), count)
        values = vectors(self.model, layout)
        self.args.vectors = self.cleared(values.nbytes)
        self.stream.wait()
        driver.upload(self.args.vectors, values.ctypes.data, values.nbytes)

    def _place_on_host(self, values: npt.NDArray[Any]) -> int:
        memory = driver.HostMemory(max(values.nbytes, 1))
        self._host.append(memory)
        ctypes.memmove(memory.address, np.ascontiguousarray(values).ctypes.data, values.nbytes)
        return memory.address
