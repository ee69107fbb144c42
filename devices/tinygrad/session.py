"""A model running on a tinygrad device: its compiled programs and its recurrent state.

It knows chunks, padding and snapshots; it does not know text, nor the mathematics of a layer.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tinygrad import Tensor, TinyJit

from edge_sdk.device import Cancelled, Candidates, Progress, State
from edge_sdk.devices.session_rules import LoadedSession, check_state, embed_ids, session_closed
from edge_sdk.devices.tinygrad import engine
from edge_sdk.devices.tinygrad import model as forward
from edge_sdk.devices.tinygrad.weights import Weights
from edge_sdk.model_file import Model

if TYPE_CHECKING:
    from edge_sdk.devices.tinygrad.device import TinygradDevice

CHUNK = 32
"""Tokens that one prefill program takes at a time; a shorter rest is fed one by one."""

PREFILL_FROM = 96
"""Prompts shorter than this are fed one by one: the chunk program takes seconds to compile."""


class TinygradSession(LoadedSession["TinygradDevice"]):
    """See edge_sdk.device.Session. All tensor work happens on the engine thread."""

    def __init__(self, device: TinygradDevice, model: Model, weights: Weights, name: str) -> None:
        super().__init__(device, model)
        self._weights: Weights | None = weights
        self._name = name
        config = model.config
        self._step = TinyJit(self._layer)
        self._chunk = TinyJit(self._layer)
        self._head = TinyJit(self._logits)
        self._ids = np.arange(config.vocab_size, dtype=np.int32)
        self._live = Tensor.ones(1, 1, device=name).clone().realize()
        self._hidden: list[Tensor] = []
        self._write(np.zeros((config.num_layers, config.hidden_size), np.float32))

    @property
    def device_bytes(self) -> int:
        """Bytes of weights and state on the device."""
        state = 4 * self._model.config.num_layers * self._model.config.hidden_size
        return (self._open().device_bytes if self._weights is not None else 0) + state

    def feed(
        self,
        ids: Sequence[int],
        *,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> Candidates:
        """Advance the state by `ids` (at least one); see edge_sdk.device.Session.feed."""
        rows = self._embed(ids)
        before = self.snapshot()
        done = 0
        last = np.zeros(0, np.float32)
        try:
            for width in _plan(len(rows)):
                if cancel is not None and cancel.is_set():
                    raise Cancelled
                final = done + width == len(rows)
                logits = engine.run(self._advance, rows[done : done + width], int(final))
                last = logits[-1] if final else last
                done += width
                if progress is not None:
                    progress("prompt", done, len(rows))
        except BaseException:
            self.restore(before)
            raise
        return Candidates(self._ids, last)

    def logits(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Advance the state by `ids`; float32 [T, V], the logits at every position."""
        rows = self._embed(ids)
        parts, done = [], 0
        for width in _plan(len(rows)):
            parts.append(engine.run(self._advance, rows[done : done + width], width))
            done += width
        return np.concatenate(parts)

    def snapshot(self) -> State:
        """A copy of the state, float32 [L, d]."""
        return State(self._model.sha256, self._position, engine.run(self._read))

    def restore(self, state: State) -> None:
        """Continue from `state`, exactly; raises ModelRejected if it is another model's."""
        check_state(self._model, state)
        engine.run(self._write, state.hidden)
        self._position = state.position

    def reset(self) -> None:
        """Forget everything: the zero state."""
        config = self._model.config
        engine.run(self._write, np.zeros((config.num_layers, config.hidden_size), np.float32))
        self._position = 0

    def close(self) -> None:
        """Free the weights on the device."""
        self._weights = None
        # The captured programs hold the weights, too.
        self._step, self._chunk = TinyJit(self._layer), TinyJit(self._layer)
        self._head = TinyJit(self._logits)
        self._device.forget(self)

    def _open(self) -> Weights:
        if self._weights is None:
            raise session_closed()
        return self._weights

    def _embed(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        self._open()
        return embed_ids(self._model, ids)

    # Everything below runs on the engine thread.

    def _read(self) -> npt.NDArray[np.float32]:
        return np.stack([hidden.numpy() for hidden in self._hidden])

    def _write(self, values: npt.NDArray[np.float32]) -> None:
        rows = [np.ascontiguousarray(row, dtype=np.float32) for row in values]
        # clone(): the programs write the state in place, never into the caller's array.
        self._hidden = [Tensor(row, device=self._name).clone().realize() for row in rows]

    def _layer(
        self, x: Tensor, hidden: Tensor, live: Tensor, planes: Tensor, vectors: Tensor
    ) -> None:
        """One layer, in place: captured once, replayed for each layer with its weights as input."""
        config = self._model.config
        block = forward.Block.cut(planes, vectors, config.hidden_size, config.intermediate_size)
        after, state = forward.layer(x, hidden, live, block, config.norm_eps)
        Tensor.realize(x.assign(after), hidden.assign(state))

    def _logits(self, x: Tensor) -> Tensor:
        weights, config = self._open(), self._model.config
        logits = forward.head(
            x,
            weights.norm,
            weights.head_planes,
            weights.head_norm,
            weights.head_step,
            config.vocab_size,
            config.norm_eps,
        )
        return logits.realize()

    def _advance(self, rows: npt.NDArray[np.float32], wanted: int) -> npt.NDArray[np.float32]:
        """Run 1 or up to CHUNK tokens; return the logits of the last `wanted` of them, [n, V]."""
        tokens = len(rows)
        layer, live = self._step, self._live
        if tokens > 1:
            layer = self._chunk
            mask = np.zeros((CHUNK, 1), np.float32)
            mask[:tokens] = 1.0
            live = Tensor(mask, device=self._name).clone().realize()
            rows = np.concatenate([rows, np.zeros((CHUNK - tokens, rows.shape[1]), np.float32)])
        x = Tensor(rows, device=self._name).clone().realize()
        for hidden, (planes, vectors) in zip(self._hidden, self._open().layers, strict=True):
            layer(x, hidden, live, planes, vectors)
        self._position += tokens
        if not wanted:
            return np.zeros((0, self._model.config.vocab_size), np.float32)
        if tokens == 1:
            # copy: the program's output buffer is overwritten by its next run
            logits: npt.NDArray[np.float32] = self._head(x).numpy().copy()
            return logits
        residual = x.numpy()[tokens - wanted : tokens]
        one_by_one = [Tensor(row[None], device=self._name).clone().realize() for row in residual]
        return np.concatenate([self._head(row).numpy() for row in one_by_one])


def _plan(tokens: int) -> list[int]:
    """How many tokens each program run takes."""
    if tokens < PREFILL_FROM:
        return [1] * tokens
    full, rest = divmod(tokens, CHUNK)
    return [CHUNK] * full + ([rest] if rest > 1 else [1] * rest)
