"""A model running on a board: chunks of token ids over the link, the state kept on the board.

It knows positions, snapshots and what to do after a fault of the line; it does not know frames,
ports or what the board computes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_sdk.device import Cancelled, Candidates, Progress, State
from edge_sdk.devices.board.client import PATIENCE_SECONDS
from edge_sdk.devices.board.protocol import Fed, Hello, pack_feed, pack_read, pack_write, read_fed
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.devices.session_rules import LoadedSession, check_ids, check_state, session_closed
from edge_sdk.errors import (
    DeviceDisconnected,
    EdgeError,
    LinkError,
    ModelRejected,
    UnsupportedOperation,
)
from edge_sdk.firmware_images.contract.manifest import SIMULATED
from edge_sdk.firmware_images.contract.wire import (
    MAX_DATA,
    MAX_FEED,
    REQUESTS,
    TOP_ENTRY,
    Code,
    Space,
    Type,
)
from edge_sdk.model_file import Model

if TYPE_CHECKING:
    from edge_sdk.devices.board.device import BoardDevice
    from edge_sdk.devices.board.program import MemoryImage

CHUNK_SECONDS = 0.12
"""A FEED may keep the board busy for so long: with its reply, cancelling acts within 0.2 s."""
WATCHDOG_CYCLES = 1 << 27
"""A program that runs longer is ended by the board itself."""
PATIENCE_TIMES = 20
"""A FEED that takes so many times longer than the ones before has no answer any more."""
SIMULATED_PATIENCE = 60.0
"""Seconds to wait for a FEED of a simulated board at least: compiled RTL may be that slow."""


class BoardSession(LoadedSession["BoardDevice"]):
    """See edge_sdk.device.Session."""

    def __init__(
        self, device: BoardDevice, model: Model, image: MemoryImage, candidates: int
    ) -> None:
        """candidates: how many scores each feed returns."""
        super().__init__(device, model)
        self._image = image
        self._candidates = min(candidates, model.config.vocab_size)
        self._scale = float(1 << image.formats.state)
        self._token_seconds: float | None = None
        self._closed = self._doubtful = False
        # The conversation is `_known` and the ids fed since; the board should hold just that.
        self._known = self._zero()
        self._since: list[int] = []
        self.cycles = 0
        """Clock cycles that the board has computed for this session."""
        self.tokens = 0
        """Tokens fed in them."""
        self.reset()

    @property
    def image_bytes(self) -> int:
        """Bytes of the memory image on the board."""
        return len(self._image.data)

    def feed(
        self,
        ids: Sequence[int],
        *,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> Candidates:
        """Advance the state by `ids` (at least one); see edge_sdk.device.Session.feed.

        The candidates are the board's best ones, by exact integer sums. After a LinkError the
        session goes on from where it was before the call.
        """
        self._settle()
        numbers: list[int] = check_ids(self._model, ids).tolist()
        if cancel is not None and cancel.is_set():
            raise Cancelled
        before = self._before(len(numbers))
        done = 0
        try:
            while True:
                count = min(self._chunk(), len(numbers) - done)
                final = done + count == len(numbers)
                fed = self._feed(numbers[done : done + count], self._candidates if final else 0)
                done += count
                if progress is not None:
                    progress("prompt", done, len(numbers))
                if final:
                    return self._scores(fed)
                if cancel is not None and cancel.is_set():
                    raise Cancelled
        except BaseException as error:
            self._go_back(before, error)
            raise

    def logits(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Not on a board: raises UnsupportedOperation."""
        raise UnsupportedOperation(
            f"a board returns its best {self._candidates} candidates, not all logits.",
            hint="use feed(), or open the device 'cpu' for logits.",
        )

    def snapshot(self) -> State:
        """A copy of the state: int16 on the board, exact as float32 [L, d]."""
        self._settle()
        if self._since:
            self._known = State(self._model.sha256, self._position, self._read_state())
            self._since = []
        known = self._known
        return State(known.model, known.position, known.hidden.copy())

    def restore(self, state: State) -> None:
        """Continue from `state`, exactly.

        Raises ModelRejected if it is another model's, or one that was not taken on a board: a
        board holds 16 bits a value, and rounding would not be exact.
        """
        self._check_open()
        check_state(self._model, state)
        scaled = state.hidden * self._scale
        values = np.clip(np.rint(scaled), -32768, 32767)
        if not np.array_equal(values, scaled):
            raise ModelRejected(
                "the saved state was taken on a device that computes in floating point; a board "
                "cannot continue from it exactly.",
                hint="feed the conversation again on the board.",
            )
        self._remember(State(state.model, state.position, state.hidden.copy()))
        self._write_known()

    def reset(self) -> None:
        """Forget everything: the zero state."""
        self._check_open()
        self._remember(self._zero())
        self._write_known()

    def close(self) -> None:
        """End the session; the model stays on the board for the next one."""
        self._closed = True
        self._device.forget(self)

    # Feeding.

    def _chunk(self) -> int:
        """Tokens of the next FEED; one, as long as nobody knows how long it takes."""
        if self._token_seconds is None:
            return 1
        return max(1, min(MAX_FEED, int(CHUNK_SECONDS / max(self._token_seconds, 1e-9))))

    def _feed(self, ids: list[int], top_k: int) -> Fed:
        try:
            fed = self._send_feed(ids, top_k)
        except Refused as refusal:
            if refusal.code != Code.BAD_POSITION:
                raise self._translated(refusal) from refusal
            # It was computed, and then the line lost the answer and the count of messages.
            self._recover()
            fed = self._send_feed(ids, top_k)
        if fed.position != self._position + len(ids):
            raise LinkError(
                f"the board says that it was fed {fed.position} tokens; expected "
                f"{self._position + len(ids)}.",
                hint="load the model again.",
            )
        self._position = fed.position
        self._since += ids
        self.cycles += fed.cycles
        self.tokens += len(ids)
        return fed

    def _send_feed(self, ids: list[int], top_k: int) -> Fed:
        hello = self._device.hello
        limit = len(ids) * WATCHDOG_CYCLES / hello.clock_hz
        if self._token_seconds is not None:
            limit = min(limit, PATIENCE_TIMES * len(ids) * self._token_seconds)
        least = SIMULATED_PATIENCE if SIMULATED in hello.features else PATIENCE_SECONDS
        begin = time.monotonic()
        reply = self._device.client.request(
            Type.FEED,
            pack_feed(self._position, top_k, ids),
            work=2 * len(ids) * (self._token_seconds or 0.0),
            patience=least + limit,
            cost=64 + top_k * TOP_ENTRY.size,
        )
        self._token_seconds = (time.monotonic() - begin) / len(ids)
        return read_fed(reply)

    def _scores(self, fed: Fed) -> Candidates:
        if not fed.entries:
            raise LinkError(
                "the board returned no candidates.", hint="flash it again: `edge-sdk flash`."
            )
        entries = np.array(sorted(fed.entries), dtype=np.int64)
        logits = entries[:, 1] * (fed.mantissa / 2.0**fed.shift)
        return Candidates(entries[:, 0].astype(np.int32), logits.astype(np.float32))

    def _before(self, count: int) -> State | None:
        """The state to go back to if a feed of `count` tokens stops between two chunks."""
        if count <= self._chunk():
            return None
        return self.snapshot()

    def _go_back(self, before: State | None, error: BaseException) -> None:
        """After a feed that did not end: the state before it, at the latest at the next call."""
        if before is not None:
            self._remember(before)
        self._doubtful = True
        if isinstance(error, Cancelled):
            self._settle()

    # The state on the board and what is known of it.

    def _zero(self) -> State:
        config = self._model.config
        zeros = np.zeros((config.num_layers, config.hidden_size), np.float32)
        return State(self._model.sha256, 0, zeros)

    def _remember(self, state: State) -> None:
        """`state` is where the conversation is from here on, whatever the board holds."""
        self._known = state
        self._since = []
        self._position = state.position

    def _settle(self) -> None:
        """Before anything that builds on the board's state."""
        self._check_open()
        if self._doubtful:
            self._recover()

    def _recover(self) -> None:
        """Bring the board to the conversation's state: from what is known, and the ids since."""
        hello = self._device.client.hello()
        self._check_resident(hello)
        again = self._since
        self._remember(self._known)
        self._write_known()
        for start in range(0, len(again), MAX_FEED):
            self._feed(again[start : start + MAX_FEED], 0)

    def _check_resident(self, hello: Hello) -> None:
        if hello.model != self._image.sha256:
            raise self._restarted()

    def _write_known(self) -> None:
        """Put the known state onto the board."""
        self._doubtful = True
        client = self._device.client
        try:
            if self._known.position == 0 and not self._known.hidden.any():
                client.request(Type.RESET)
            else:
                values = np.rint(self._known.hidden * self._scale).astype("<i2").tobytes()
                pieces = [
                    pack_write(Space.RAM_S, start // 2, values[start : start + MAX_DATA])
                    for start in range(0, len(values), MAX_DATA)
                ]
                client.stream(Type.WRITE, pieces)
                client.request(Type.SEEK, REQUESTS[Type.SEEK].pack(self._known.position))
        except Refused as refusal:
            raise self._translated(refusal) from refusal
        self._doubtful = False

    def _read_state(self) -> npt.NDArray[np.float32]:
        config = self._model.config
        total = config.num_layers * config.hidden_size
        parts = []
        for start in range(0, total, MAX_DATA // 2):
            count = min(MAX_DATA // 2, total - start)
            payload = pack_read(Space.RAM_S, start, count)
            data = self._device.client.request(Type.READ, payload, cost=2 * count + 32)
            if len(data) != 2 * count:
                raise LinkError(
                    f"the board sent {len(data)} bytes of state, not {2 * count}.",
                    hint="flash it again: `edge-sdk flash`.",
                )
            parts.append(np.frombuffer(data, "<i2"))
        values = np.concatenate(parts).astype(np.float32) / np.float32(self._scale)
        hidden: npt.NDArray[np.float32] = values.reshape(config.num_layers, config.hidden_size)
        return hidden

    def _translated(self, refusal: Refused) -> EdgeError:
        return self._restarted() if refusal.code == Code.NO_MODEL else refusal

    def _restarted(self) -> DeviceDisconnected:
        return DeviceDisconnected(
            f"the board {self._device.info.uri} was restarted and has lost the model.",
            hint="load the model again; a saved state can then be restored.",
        )

    def _check_open(self) -> None:
        if self._closed:
            raise session_closed()
