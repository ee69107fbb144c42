"""A model running on one OpenCL device through our kernels.

It knows chunks, cancelling and snapshots; it does not know text, nor how the kernels compute.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_sdk.device import Cancelled, Candidates, Progress, State
from edge_sdk.devices.session_rules import LoadedSession, check_state, embed_ids, session_closed
from edge_sdk.devices.tinygrad import engine
from edge_sdk.devices.tinygrad.opencl.driver import Memory
from edge_sdk.devices.tinygrad.opencl.resident import CHUNK, Resident
from edge_sdk.model_file import Model

if TYPE_CHECKING:
    from edge_sdk.devices.tinygrad.device import TinygradDevice

Floats = npt.NDArray[np.float32]


class ClSession(LoadedSession["TinygradDevice"]):
    """See edge_sdk.device.Session. Calls from several threads take turns."""

    def __init__(self, device: TinygradDevice, model: Model, resident: Resident) -> None:
        """Runs on the engine thread; raises MemoryError."""
        super().__init__(device, model)
        self._resident: Resident | None = resident
        self._row = resident.layout.row_d
        zeros = np.zeros((model.config.num_layers, self._row), np.float32)
        self._state = Memory(resident.device, zeros)
        self._ids = np.arange(model.config.vocab_size, dtype=np.int32)
        self._turn = threading.RLock()
        resident.users += 1

    @property
    def device_bytes(self) -> int:
        """Bytes on the device: this session's state, and the weights, which sessions share."""
        resident = self._resident
        return 0 if resident is None else resident.device_bytes + self._state.size

    def feed(
        self,
        ids: Sequence[int],
        *,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> Candidates:
        """Advance the state by `ids` (at least one); see edge_sdk.device.Session.feed."""
        with self._turn:
            resident = self._open()
            rows = embed_ids(self._model, ids)
            if cancel is not None and cancel.is_set():
                raise Cancelled
            before = self.snapshot() if len(rows) > CHUNK else None
            try:
                for start in range(0, len(rows), CHUNK):
                    if start and cancel is not None and cancel.is_set():
                        raise Cancelled
                    part = rows[start : start + CHUNK]
                    last = start + len(part) == len(rows)
                    logits = engine.run(resident.advance, part, self._state, logits=last)
                    if progress is not None:
                        progress("prompt", start + len(part), len(rows))
            except BaseException:
                if before is not None:
                    self.restore(before)
                raise
            self._position += len(rows)
            return Candidates(self._ids, logits[-1])

    def logits(self, ids: Sequence[int]) -> Floats:
        """Advance the state by `ids`; float32 [T, V], the logits at every position."""
        with self._turn:
            resident = self._open()
            rows = embed_ids(self._model, ids)
            parts = [
                engine.run(resident.advance, rows[start : start + CHUNK], self._state, logits=True)
                for start in range(0, len(rows), CHUNK)
            ]
            self._position += len(rows)
            return np.concatenate(parts)

    def snapshot(self) -> State:
        """A copy of the state, float32 [L, d]."""
        with self._turn:
            self._open()
            rows = np.empty((self._model.config.num_layers, self._row), np.float32)
            engine.run(self._state.read, rows)
            hidden = rows[:, : self._model.config.hidden_size].copy()
            return State(self._model.sha256, self._position, hidden)

    def restore(self, state: State) -> None:
        """Continue from `state`, exactly; raises ModelRejected if it is another model's."""
        check_state(self._model, state)
        self._write(state.hidden, state.position)

    def reset(self) -> None:
        """Forget everything: the zero state."""
        self._write(0.0, 0)

    def close(self) -> None:
        """Free the state, and the weights if no other session uses them."""
        with self._turn:
            resident, self._resident = self._resident, None
            if resident is not None:
                engine.run(self._free, resident)
        self._device.forget(self)

    def _free(self, resident: Resident) -> None:
        self._state.free()
        resident.users -= 1
        if not resident.users:
            resident.free()

    def _write(self, hidden: npt.ArrayLike, position: int) -> None:
        rows = np.zeros((self._model.config.num_layers, self._row), np.float32)
        rows[:, : self._model.config.hidden_size] = hidden
        with self._turn:
            self._open()
            engine.run(self._state.write, rows)
            self._position = position

    def _open(self) -> Resident:
        if self._resident is None:
            raise session_closed()
        return self._resident
