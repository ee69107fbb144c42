"""A model running on the CPU through the C kernels: one native call a token, or a chunk of them.

It knows chunks, cancelling and snapshots; it does not know text, nor how the kernels compute.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_sdk.device import Cancelled, Candidates, Progress, State
from edge_sdk.devices.session_rules import LoadedSession, check_state, embed_ids, session_closed
from edge_sdk.devices.tinygrad.contention import Contention
from edge_sdk.devices.tinygrad.fast_model import FastModel, zeros
from edge_sdk.devices.tinygrad.native import Kernels
from edge_sdk.devices.tinygrad.structures import Op, Work
from edge_sdk.devices.tinygrad.workers import Workers
from edge_sdk.model_file import Model

if TYPE_CHECKING:
    from edge_sdk.devices.tinygrad.device import TinygradDevice

CHUNK = 32
"""Tokens a call: weights are read once for all of them, and `cancel` is polled between calls."""

PROBE_BYTES = 1 << 16
"""What the bandwidth probe reads at a time (entry.c)."""

MAX_TILES = 0xFFFF
"""Of a parallel region (types.h): the probe reads at most 4 GiB."""

Floats = npt.NDArray[np.float32]


class FastSession(LoadedSession["TinygradDevice"]):
    """See edge_sdk.device.Session. Calls from several threads take turns.

    The same tokens give the same bits, whether they come at once or one by one and whatever the
    number of threads.
    """

    def __init__(
        self, device: TinygradDevice, model: Model, kernels: Kernels, threads: int
    ) -> None:
        super().__init__(device, model)
        self._kernels = kernels
        self._weights: FastModel | None = FastModel(model)
        self._workers = Workers(kernels, threads)
        # By tokens a call: decoding, and prompts. Calls of other sizes are few.
        sizes = (1, CHUNK) if self.threads > 1 else ()
        self._contention = {tokens: Contention(self.threads) for tokens in sizes}
        self._work = Work(op=Op.MEASURE, tokens=CHUNK, pool=self._workers.pointer)
        self._work.model = ctypes.pointer(self._weights.table)
        kernels.call(ctypes.byref(self._work))
        config = model.config
        self._scratch = zeros((self._work.scratch_bytes,), np.uint8)
        self._x: Floats = zeros((CHUNK, self._work.row), np.float32)
        self._state: Floats = zeros((config.num_layers, self._work.row), np.float32)
        self._ids = np.arange(config.vocab_size, dtype=np.int32)
        self._work.op = Op.ADVANCE
        self._work.state = self._state.ctypes.data
        self._work.scratch = self._scratch.ctypes.data
        self._x_address = self._x.ctypes.data
        self._turn = threading.RLock()

    @property
    def threads(self) -> int:
        """How many threads compute."""
        return self._workers.threads

    @property
    def token_bytes(self) -> int:
        """Bytes of weights that a token reads: the kernels take them as the file has them."""
        return self._model.weight_bytes

    @property
    def device_bytes(self) -> int:
        """Bytes of weights and state that the session uses; the weights lie in the mapped file."""
        return (self._model.weight_bytes if self._weights else 0) + self._state.nbytes

    def feed(
        self,
        ids: Sequence[int],
        *,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> Candidates:
        """Advance the state by `ids` (at least one); see edge_sdk.device.Session.feed."""
        with self._turn:
            rows = self._embed(ids)
            total = len(rows)
            before = self.snapshot()
            try:
                for done in range(0, total, CHUNK):
                    if cancel is not None and cancel.is_set():
                        raise Cancelled
                    end = min(done + CHUNK, total)
                    logits = self._advance(rows[done:end], int(end == total))
                    if progress is not None:
                        progress("prompt", end, total)
            except BaseException:
                self.restore(before)
                raise
            return Candidates(self._ids, logits[0])

    def logits(self, ids: Sequence[int]) -> Floats:
        """Advance the state by `ids`; float32 [T, V], the logits at every position."""
        with self._turn:
            rows = self._embed(ids)
            parts = [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]
            return np.concatenate([self._advance(part, len(part)) for part in parts])

    def snapshot(self) -> State:
        """A copy of the state, float32 [L, d]."""
        with self._turn:
            hidden = self._state[:, : self._model.config.hidden_size].copy()
            return State(self._model.sha256, self._position, hidden)

    def restore(self, state: State) -> None:
        """Continue from `state`, exactly; raises ModelRejected if it is another model's."""
        check_state(self._model, state)
        with self._turn:
            self._state[:, : self._model.config.hidden_size] = state.hidden
            self._position = state.position

    def reset(self) -> None:
        """Forget everything: the zero state."""
        with self._turn:
            self._state[:] = 0
            self._position = 0

    def read_weights(self) -> tuple[int, float]:
        """Read all packed weights with the session's threads: (bytes, seconds).

        Nothing is computed: it is the least time that a token can take where memory is the limit.
        """
        with self._turn:
            if self._weights is None:
                raise session_closed()
            start, size = self._weights.span
            tiles = min(max(size // PROBE_BYTES - 1, 1), MAX_TILES)
            sums = zeros((tiles, 64), np.uint8)
            work = Work(op=Op.READ, pool=self._workers.pointer, count=tiles * PROBE_BYTES)
            work.source, work.target = start + -start % 64, sums.ctypes.data
            began = time.perf_counter()
            self._kernels.call(ctypes.byref(work))
            return tiles * PROBE_BYTES, time.perf_counter() - began

    def close(self) -> None:
        """End the worker threads and let go of the weights."""
        with self._turn:
            self._workers.close()
            self._weights = None
        self._device.forget(self)

    def _embed(self, ids: Sequence[int]) -> Floats:
        if self._weights is None:
            raise session_closed()
        return embed_ids(self._model, ids)

    def _advance(self, rows: Floats, wanted: int) -> Floats:
        """Run up to CHUNK tokens; return the logits of the last `wanted` of them, [wanted, V]."""
        tokens, width = rows.shape
        self._x[:tokens, :width] = rows
        logits = np.empty((wanted, self._model.config.vocab_size), np.float32)
        work = self._work
        work.tokens, work.wanted, work.logits = tokens, wanted, logits.ctypes.data
        # The kernels move x along: to the rows whose logits are wanted.
        work.x = self._x_address
        contention = self._contention.get(tokens)
        alone = contention is not None and contention.alone
        work.pool = None if alone else self._workers.pointer
        began = time.perf_counter()
        self._kernels.call(ctypes.byref(work))
        if contention is not None:
            contention.count(time.perf_counter() - began)
        self._position += tokens
        return logits
