"""Many conversations on one card at a time: one step of all of them reads the weights once.

It knows slots, their states and who takes part in a step (continuous batching: a conversation may
join or leave between any two steps); it does not know text, sampling or a server's queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edge_sdk.device import Candidates
from edge_sdk.devices.session_rules import check_ids, session_closed
from edge_sdk.devices.tinygrad import engine
from edge_sdk.devices.tinygrad.cuda import driver
from edge_sdk.devices.tinygrad.cuda.args import Args
from edge_sdk.devices.tinygrad.cuda.resident import CHUNK, Resident
from edge_sdk.devices.tinygrad.cuda.runs import Rows
from edge_sdk.devices.tinygrad.kernels import DeviceMemory
from edge_sdk.errors import UnsupportedOperation, UsageError
from edge_sdk.model_file import Model

if TYPE_CHECKING:
    from edge_sdk.devices.tinygrad.device import TinygradDevice


class CudaBatch:
    """Up to `slots` conversations with one set of weights; calls from threads take turns."""

    def __init__(
        self, device: TinygradDevice, model: Model, resident: Resident, slots: int
    ) -> None:
        """slots: 1 to CHUNK. Raises UnsupportedOperation on a card without tensor cores."""
        if not 1 <= slots <= CHUNK:
            raise UsageError(
                f"slots is {slots}; expected a whole number from 1 to {CHUNK}.",
                hint="make several batches; they share the weights.",
            )
        if not resident.program.tensor_cores:
            raise UnsupportedOperation(
                "this card has no tensor cores for int8, which a batch needs.",
                hint="use one session a conversation; they share the weights.",
            )
        self._device, self._model = device, model
        self._resident: Resident | None = resident
        self._turn = resident.turn
        self.slots = slots
        vocab = model.config.vocab_size
        driver.use(resident.program.context)
        self._state = DeviceMemory(resident.device, slots * resident.layout.state)
        self._logits = DeviceMemory(resident.device, 4 * slots * vocab)
        self._live = DeviceMemory(resident.device, 4 * slots)
        self._ids_host = driver.HostMemory(4 * CHUNK)
        self._picked_host = driver.HostMemory(4 * CHUNK)
        self._row_host = driver.HostMemory(4 * vocab)
        self._ids = self._ids_host.array(np.int32)
        self._picked = self._picked_host.array(np.int32)
        self._row = self._row_host.array(np.float32)
        self._vocabulary = np.arange(vocab, dtype=np.int32)
        self._free_slots = list(range(slots))[::-1]
        self._fed = np.zeros(slots, np.int32)
        self._args = self._make_args(resident, self._logits.address)
        self._prompt_args = self._make_args(resident, self._row_host.address)
        self._rows = Rows(resident, self._args)
        self._prompt_rows = Rows(resident, self._prompt_args)
        self._graph: driver.Graph | None = None
        for memory in (self._state, self._live):
            resident.stream.clear(memory.address, memory.size)
        resident.users += 1

    @property
    def model(self) -> Model:
        """The model that runs."""
        return self._model

    @property
    def device_bytes(self) -> int:
        """Bytes on the card: states and logits of all slots, and the weights."""
        resident = self._resident
        if resident is None:
            return 0
        own = (self._state, self._logits, self._live)
        return resident.device_bytes + sum(memory.size for memory in own)

    def join(self) -> int:
        """A slot with the zero state; raises UsageError if all are taken."""
        with self._turn:
            resident = self._open()
            if not self._free_slots:
                raise UsageError(
                    f"all {self.slots} slots are taken.", hint="wait, or make a larger batch."
                )
            slot = self._free_slots.pop()
            size = resident.layout.state
            resident.stream.clear(self._state.address + slot * size, size)
            return slot

    def leave(self, slot: int) -> None:
        """Give a slot back."""
        with self._turn:
            self._check(slot)
            self._free_slots.append(slot)

    def prompt(self, slot: int, ids: Sequence[int]) -> Candidates:
        """Feed a prompt to one slot; the candidates after its last token."""
        with self._turn:
            resident = self._open()
            self._check(slot)
            tokens = check_ids(self._model, ids)
            for start in range(0, len(tokens), CHUNK):
                part = tokens[start : start + CHUNK]
                self._ids[: len(part)] = part
                self._prompt_rows.prompt(len(part), slot)
                if start + len(part) == len(tokens):
                    self._prompt_rows.head(len(part) - 1, 1)
                resident.stream.wait()
            return Candidates(self._vocabulary, self._row.copy())

    def step(self, tokens: Mapping[int, int]) -> dict[int, int]:
        """Feed one token to each slot named; slot -> the best id after it. Others stay as they are.

        tokens: slot -> token id, at least one.
        """
        with self._turn:
            resident = self._open()
            for slot in tokens:
                self._check(slot)
            named = list(tokens)
            ids = check_ids(self._model, list(tokens.values()))
            self._ids[: self.slots] = 0
            self._ids[named] = ids
            fed = np.zeros(self.slots, np.int32)
            fed[named] = 1
            if not np.array_equal(fed, self._fed):
                driver.upload(self._live.address, fed.ctypes.data, fed.nbytes)
                self._fed = fed
            self._step(resident)
            resident.stream.wait()
            return dict(zip(named, self._picked[named].tolist(), strict=True))

    def candidates(self, slot: int) -> Candidates:
        """All scores of one slot after the last step, for sampling."""
        with self._turn:
            self._open()
            self._check(slot)
            logits = np.empty(self._model.config.vocab_size, np.float32)
            at = self._logits.address + slot * logits.nbytes
            driver.download(logits.ctypes.data, at, logits.nbytes)
            return Candidates(self._vocabulary, logits)

    def close(self) -> None:
        """Free the slots, and the weights if nothing else uses them."""
        with self._turn:
            resident, self._resident = self._resident, None
            if resident is not None:
                engine.run(self._free, resident)
        self._device.forget(self)

    def _step(self, resident: Resident) -> None:
        """Launch a step as one graph, captured on first use."""
        if self._graph is None:
            with resident.stream.capture() as graph:
                self._rows.step(self.slots)
            self._graph = graph
        self._graph.launch()

    def _make_args(self, resident: Resident, logits: int) -> Args:
        args = Args.from_buffer_copy(resident.args)
        args.state, args.live, args.logits = self._state.address, self._live.address, logits
        args.ids, args.picked = self._ids_host.address, self._picked_host.address
        return args

    def _open(self) -> Resident:
        resident = self._resident
        if resident is None:
            raise session_closed()
        driver.use(resident.program.context)
        return resident

    def _check(self, slot: int) -> None:
        if not 0 <= slot < self.slots or slot in self._free_slots:
            raise UsageError(f"nobody is in slot {slot}.", hint="take one with join().")

    def _free(self, resident: Resident) -> None:
        driver.use(resident.program.context)
        resident.stream.wait()
        if self._graph is not None:
            self._graph.close()
        for memory in (self._state, self._logits, self._live):
            memory.free()
        del self._ids, self._picked, self._row
        for host in (self._ids_host, self._picked_host, self._row_host):
            host.free()
        resident.users -= 1
        if not resident.users:
            resident.free()
