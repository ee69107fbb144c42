"""A model running on one NVIDIA card through the CUDA kernels.

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
from edge_sdk.devices.session_rules import LoadedSession, check_ids, check_state, session_closed
from edge_sdk.devices.tinygrad import engine
from edge_sdk.devices.tinygrad.cuda import driver
from edge_sdk.devices.tinygrad.cuda.args import Args
from edge_sdk.devices.tinygrad.cuda.resident import CHUNK, Resident
from edge_sdk.devices.tinygrad.cuda.runs import Decode, Rows
from edge_sdk.devices.tinygrad.kernels import DeviceMemory
from edge_sdk.errors import UsageError
from edge_sdk.model_file import Model

if TYPE_CHECKING:
    from edge_sdk.devices.tinygrad.device import TinygradDevice

ONE_BY_ONE = 3
"""Up to so many tokens the decode kernel is faster than the products of many rows."""
GREEDY = 32
"""Tokens a launch that feeds itself; `cancel` is polled between launches."""
LOGIT_ROWS = 32
"""Rows of logits that go to the host at once."""

Floats = npt.NDArray[np.float32]


class CudaSession(LoadedSession["TinygradDevice"]):
    """See edge_sdk.device.Session. Calls from several threads, and several sessions, take turns."""

    def __init__(self, device: TinygradDevice, model: Model, resident: Resident) -> None:
        super().__init__(device, model)
        self._resident: Resident | None = resident
        self._turn = resident.turn
        config, layout = model.config, resident.layout
        driver.use(resident.program.context)
        self._state = DeviceMemory(resident.device, layout.state)
        self._backup = DeviceMemory(resident.device, layout.state)
        self._ids_host = driver.HostMemory(4 * CHUNK)
        self._picked_host = driver.HostMemory(4 * CHUNK)
        self._logits_host = driver.HostMemory(4 * LOGIT_ROWS * config.vocab_size)
        self._ids = self._ids_host.array(np.int32)
        self._picked = self._picked_host.array(np.int32)
        logits = self._logits_host.array(np.float32)
        self._logits = logits.reshape(LOGIT_ROWS, config.vocab_size)
        self._vocabulary = np.arange(config.vocab_size, dtype=np.int32)
        self._args = Args.from_buffer_copy(resident.args)
        self._args.state = self._state.address
        self._args.ids, self._args.picked = self._ids_host.address, self._picked_host.address
        self._args.logits = self._logits_host.address
        self._decode = Decode(resident, self._args)
        self._rows = Rows(resident, self._args)
        resident.stream.clear(self._state.address, layout.state)
        resident.stream.wait()
        resident.users += 1

    @property
    def device_bytes(self) -> int:
        """Bytes on the card: this session's state, and the weights, which sessions share."""
        resident = self._resident
        if resident is None:
            return 0
        return resident.device_bytes + self._state.size + self._backup.size

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
            tokens = check_ids(self._model, ids)
            if cancel is not None and cancel.is_set():
                raise Cancelled
            self._feed(resident, tokens, cancel, progress)
            self._position += len(tokens)
            return Candidates(self._vocabulary, self._logits[0].copy())

    def logits(self, ids: Sequence[int]) -> Floats:
        """Advance the state by `ids`; float32 [T, V], the logits at every position."""
        with self._turn:
            resident = self._open()
            tokens = check_ids(self._model, ids)
            found = np.empty((len(tokens), self._model.config.vocab_size), np.float32)
            step = CHUNK if resident.program.tensor_cores else 1
            for start in range(0, len(tokens), step):
                part = tokens[start : start + step]
                self._ids[: len(part)] = part
                if step == 1:
                    self._decode.run(1, 1)
                    resident.stream.wait()
                    found[start] = self._logits[0]
                    continue
                self._rows.prompt(len(part))
                for row in range(0, len(part), LOGIT_ROWS):
                    count = min(LOGIT_ROWS, len(part) - row)
                    self._rows.head(row, count)
                    resident.stream.wait()
                    found[start + row : start + row + count] = self._logits[:count]
            self._position += len(tokens)
            return found

    def greedy(self, first: int, count: int, *, cancel: threading.Event | None = None) -> list[int]:
        """Feed `first`, then the best id again and again, `count` tokens in all.

        Returns the `count` best ids, the last of which is not fed yet. Tokens stay on the card from
        one to the next, so this is the fastest way to decode. `cancel` is polled every GREEDY
        tokens; the ids so far are returned then.
        """
        if count < 1:
            raise UsageError(
                f"count is {count}; expected a whole number from 1.",
                hint="leave the call out to decode nothing.",
            )
        with self._turn:
            resident = self._open()
            self._ids[:1] = check_ids(self._model, [first])
            found: list[int] = []
            while len(found) < count and not (cancel is not None and cancel.is_set()):
                total = min(GREEDY, count - len(found))
                self._decode.run(1, total)
                resident.stream.wait()
                found += self._picked[:total].tolist()
                self._position += total
                self._ids[0] = found[-1]
            return found

    def snapshot(self) -> State:
        """A copy of the state, float32 [L, d]."""
        with self._turn:
            resident = self._open()
            rows = np.empty((self._model.config.num_layers, resident.layout.row_d), np.float32)
            driver.download(rows.ctypes.data, self._state.address, rows.nbytes)
            hidden = rows[:, : self._model.config.hidden_size].copy()
            return State(self._model.sha256, self._position, hidden)

    def restore(self, state: State) -> None:
        """Continue from `state`, exactly; raises ModelRejected if it is another model's."""
        check_state(self._model, state)
        with self._turn:
            resident = self._open()
            rows = np.zeros((self._model.config.num_layers, resident.layout.row_d), np.float32)
            rows[:, : self._model.config.hidden_size] = state.hidden
            driver.upload(self._state.address, rows.ctypes.data, rows.nbytes)
            self._position = state.position

    def reset(self) -> None:
        """Forget everything: the zero state."""
        with self._turn:
            resident = self._open()
            resident.stream.clear(self._state.address, self._state.size)
            self._position = 0

    def read_weights(self) -> tuple[int, float]:
        """Read all packed weights and compute nothing: (bytes, seconds)."""
        with self._turn:
            resident = self._open()
            size, program = resident.layout.planes, resident.program
            launch = program.kernel["read"].bind(
                resident.stream,
                (2 * program.multiprocessors, 1, 1),
                1024,
                self._args,
                ctypes.c_int64(size),
            )
            repeats = 20
            resident.stream.wait()
            began = time.perf_counter()
            for _ in range(repeats):
                launch()
            resident.stream.wait()
            return size * repeats, time.perf_counter() - began

    def close(self) -> None:
        """Free the state, and the weights if no other session uses them."""
        with self._turn:
            resident, self._resident = self._resident, None
            if resident is not None:
                engine.run(self._free, resident)
        self._device.forget(self)

    def _free(self, resident: Resident) -> None:
        driver.use(resident.program.context)
        resident.stream.wait()
        self._state.free()
        self._backup.free()
        # Views of locked memory must not outlive it.
        del self._ids, self._picked, self._logits
        for host in (self._ids_host, self._picked_host, self._logits_host):
            host.free()
        resident.users -= 1
        if not resident.users:
            resident.free()

    def _open(self) -> Resident:
        """The model on the card; its context becomes current in this thread."""
        resident = self._resident
        if resident is None:
            raise session_closed()
        driver.use(resident.program.context)
        return resident

    def _feed(
        self,
        resident: Resident,
        tokens: npt.NDArray[np.int32],
        cancel: threading.Event | None,
        progress: Progress | None,
    ) -> None:
        """Run all of `tokens`, and wait for the logits after the last; undone if it fails."""
        total = len(tokens)
        many = total > ONE_BY_ONE and resident.program.tensor_cores
        if total > CHUNK:
            resident.stream.copy(self._backup.address, self._state.address, self._state.size)
        try:
            for start in range(0, total, CHUNK):
                if start and cancel is not None and cancel.is_set():
                    raise Cancelled
                part = tokens[start : start + CHUNK]
                self._ids[: len(part)] = part
                if many:
                    self._rows.prompt(len(part))
                    if start + len(part) == total:
                        self._rows.head(len(part) - 1, 1)
                else:
                    self._decode.run(len(part), len(part))
                # The ids of the next chunk go where the kernels read those of this one.
                resident.stream.wait()
                if progress is not None:
                    progress("prompt", start + len(part), total)
        except BaseException:
            if total > CHUNK:
                resident.stream.copy(self._state.address, self._backup.address, self._state.size)
            raise
