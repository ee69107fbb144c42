"""A model resident on one OpenCL device: packed weights once, and the launches of a forward pass.

It knows the order of launches; it does not know what they compute, nor sessions. Everything here
runs on the engine thread, so sessions that share it take turns, one chunk at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.config import ModelConfig
from edge_sdk.device import Progress
from edge_sdk.devices.tinygrad.fast_model import Weights
from edge_sdk.devices.tinygrad.layout import Layout, matrices, vectors
from edge_sdk.devices.tinygrad.opencl.driver import Launch, Memory, Program, wait

CHUNK = 8
"""Tokens of a prompt that run at once: weights are read once for all of them."""
LANES, NORM_LANES = 64, 256
"""Work-items of a group: of a product, of a norm (model.cl has the same numbers)."""
RESIDUAL, GATED, PLAIN = 0, 1, 2
"""Where a norm's input comes from (model.cl)."""
LAUNCHES = 4096
"""Bound launches that are kept, at most: each pass has eight a layer and two."""
STEP_O, STEP_DOWN = 3, 5

Floats = npt.NDArray[np.float32]


def source(config: ModelConfig, tile: int) -> str:
    """The OpenCL C of one model's sizes, for `tile` tokens a launch."""
    sizes = {"WIDTH": config.hidden_size, "INNER": config.intermediate_size, "TILE": tile}
    lines = [f"#define {name} {size}" for name, size in sizes.items()]
    lines.append(f"#define EPS {float(config.norm_eps)!r}f")
    return "\n".join([*lines, (files(__package__) / "model.cl").read_text()])


class Resident:
    """Weights, a buffer a layer, and working memory that sessions share."""

    def __init__(self, device: str, model: Weights, progress: Progress | None = None) -> None:
        """Raises MemoryError where it does not fit, and whatever a driver or compiler raises."""
        self.device, self.model = device, model
        self.config, self.layout = model.config, Layout(model.config)
        self.users = 0
        self._memory: list[Memory] = []
        try:
            self._programs = {
                tile: Program(device, source(self.config, tile), "edge_norm") for tile in (1, CHUNK)
            }
            self._bound = lru_cache(LAUNCHES)(self._bind)
            self._place_weights(progress)
            d, i = self.layout.row_d, self.layout.row_i
            self.x = self.cleared(CHUNK * d, np.float32)
            self.y = self.cleared(CHUNK * max(2 * d, i), np.float32)
            self.q = self.cleared(CHUNK * max(3 * d, i), np.int8)
            self.worth = self.cleared(3 * CHUNK, np.float32)
            self.totals = self.cleared(3 * CHUNK, np.int32)
            self.logits = self.cleared(CHUNK * self.config.vocab_size, np.float32)
        except BaseException:
            self.free()
            raise

    @property
    def device_bytes(self) -> int:
        """Bytes on the device, working memory included; sessions' states are their own."""
        return sum(memory.size for memory in self._memory)

    def cleared(self, count: int, dtype: npt.DTypeLike) -> Memory:
        """Zeros that live as long as this object; raises MemoryError."""
        return self._keep(np.zeros(count, dtype))

    def free(self) -> None:
        """Give everything back; a second call does nothing."""
        self._bound = lru_cache(LAUNCHES)(self._bind)
        for memory in self._memory:
            memory.free()
        self._memory = []

    def advance(self, rows: Floats, state: Memory, *, logits: bool) -> Floats:
        """Feed embedding rows [T, d], T up to CHUNK; the logits of each [T, V], or none [0, V].

        state: float32 [L, row_d], advanced in place.
        """
        tokens, width = rows.shape
        x = np.zeros((tokens, self.layout.row_d), np.float32)
        x[:, :width] = rows
        self.x.write(x)
        for index in range(self.config.num_layers):
            self._layer(index, state, tokens)
        found = np.empty((tokens if logits else 0, self.config.vocab_size), np.float32)
        if logits:
            vectors, d = self._head[1], self.layout.row_d
            self._norm(self.x, vectors, RESIDUAL, 0, d, width, tokens)
            self.product(self._head, self.logits, 0, 2 * d, self.config.vocab_size, tokens)
            self.logits.read(found)
        else:
            # Or a long prompt would be asked for at once: progress and cancel mean work done.
            wait(self.device)
        return found

    def product(
        self,
        weights: tuple[Memory, Memory],
        out: Memory,
        first: int,
        step: int,
        rows: int,
        tokens: int,
        *,
        add: bool = False,
        inner: bool = False,
    ) -> None:
        """out [T, rows] = (or, row_d apart, +=) q times a matrix, which starts at byte `first`.

        inner: its rows have I columns, not d. step: where in the vectors its scale is.
        """
        blocks = (self.layout.row_i if inner else self.layout.row_d) // 256
        stride = self.layout.row_d if add else rows
        numbers = (first // 4, blocks, step, rows, stride, int(add), tokens)
        buffers = (*weights, self.q, self.worth, self.totals, out)
        self._run("product", (-(-rows // 4), 1), LANES, buffers, numbers, tokens)

    def layer_weights(self, index: int) -> tuple[Memory, Memory]:
        """(planes, vectors) of a layer."""
        return self._layers[index]

    @property
    def output(self) -> tuple[int, int]:
        """(byte where the output projection starts in a layer's planes, where its step is)."""
        return 3 * self.layout.groups[0] * self.layout.row_d, self._step(STEP_O)

    def _layer(self, index: int, state: Memory, tokens: int) -> None:
        weights = planes, vectors = self._layers[index]
        d, width = self.layout.row_d, self.config.hidden_size
        inner = self.config.intermediate_size
        wide, high, _ = self.layout.groups
        given = (planes, vectors, self.q, self.worth, self.totals)
        self._norm(self.x, vectors, RESIDUAL, 0, d, width, tokens, products=3)
        self._run("mixer", (wide, 1), LANES, (*given, state, self.y), (index, tokens), tokens)
        self._norm(self.y, vectors, GATED, 5 * d, 6 * d, width, tokens)
        self.product(weights, self.x, *self.output, width, tokens, add=True)
        self._norm(self.x, vectors, RESIDUAL, 7 * d, 8 * d, width, tokens)
        gate = 4 * wide * d
        self._run("gate", (high, 1), LANES, (*given, self.y), (gate // 4, tokens), tokens)
        self._norm(self.y, vectors, PLAIN, 0, 9 * d, inner, tokens)
        down = gate + 2 * high * d
        step = self._step(STEP_DOWN)
        self.product(weights, self.x, down, step, width, tokens, add=True, inner=True)

    def _norm(
        self,
        x: Memory,
        vectors: Memory,
        kind: int,
        outer: int,
        inner: int,
        width: int,
        tokens: int,
        products: int = 1,
    ) -> None:
        buffers = (x, vectors, self.q, self.worth, self.totals)
        numbers = (kind, outer, inner, width)
        self._run("norm", (tokens, products), NORM_LANES, buffers, numbers, tokens)

    def _run(
        self,
        name: str,
        groups: tuple[int, int],
        items: int,
        buffers: tuple[Memory, ...],
        numbers: tuple[int, ...],
        tokens: int,
    ) -> None:
        self._bound(1 if tokens == 1 else CHUNK, name, groups, items, buffers, numbers)()

    def _bind(self, tile: int, name: str, *how: Any) -> Launch:
        return self._programs[tile].bind(f"edge_{name}", *how)

    def _step(self, number: int) -> int:
        return 9 * self.layout.row_d + self.layout.row_i + number

    def _keep(self, values: npt.NDArray[Any]) -> Memory:
        memory = Memory(self.device, values)
        self._memory.append(memory)
        return memory

    def _place_weights(self, progress: Progress | None) -> None:
        layout, count = self.layout, self.config.num_layers
        floats = vectors(self.model, layout)
        parts = _joined(matrices(self.model), self._layer_bytes())
        self._layers: list[tuple[Memory, Memory]] = []
        for index in range(count):
            start = index * layout.layer_vectors
            own = floats[start : start + layout.layer_vectors]
            self._layers.append((self._keep(next(parts)), self._keep(own)))
            if progress is not None:
                progress("loading", index + 1, count)
        self._head = (self._keep(next(parts)), self._keep(floats[count * layout.layer_vectors :]))

    def _layer_bytes(self) -> int:
        """Bytes of a layer's planes: i, f, g, o, both halves of the gate, down."""
        wide, high, _ = self.layout.groups
        d, i = self.layout.row_d, self.layout.row_i
        return 4 * wide * d + 2 * high * d + wide * i


def _joined(arrays: Iterator[npt.NDArray[np.uint8]], size: int) -> Iterator[npt.NDArray[np.uint8]]:
    """The arrays joined into pieces of `size` bytes; what is left at the end is the last one."""
    held: list[npt.NDArray[np.uint8]] = []
    for array in arrays:
        held.append(array.reshape(-1))
        if sum(piece.size for piece in held) == size:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)
