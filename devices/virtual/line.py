"""The line between a host and a virtual board: its rate, its faults, the time that bytes take.

It knows baud rates and when a byte is due; it does not know what the board computes.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable

from edge_sdk.devices.board.link import Decoder
from edge_sdk.devices.virtual.endpoint import Endpoint
from edge_sdk.devices.virtual.engine import Engine
from edge_sdk.devices.virtual.faults import Faults, Rates
from edge_sdk.firmware_images.contract.wire import (
    BAUD_TRIAL_SECONDS,
    DEFAULT_BAUD,
    REPLY,
    REQUESTS,
    Type,
)

IDLE_SECONDS = 0.05
"""How long the loop sleeps where nothing is due."""
CHUNK_SECONDS = 0.01
"""Bytes move in portions of so much time on the line."""
CATCH_UP_SECONDS = 0.03
"""A line that had more to carry goes on from where it was: the loop was late, not the line."""
MISMATCH = 0.03
"""Two rates this far apart give garbage."""


class Line:
    """Moves bytes between an endpoint and an engine until told to stop.

    With `pace`, a byte takes ten bits at the rate that was negotiated, in each direction, and a
    reply comes after the time that the real board computes. `max_baud`: above it the cable gives
    garbage.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        engine: Callable[[], Engine | None],
        *,
        pace: bool = True,
        rates: Rates | None = None,
        seed: int = 0,
        max_baud: int | None = None,
    ) -> None:
        """engine: asked before each portion; None for a board that does not answer."""
        self.baud = DEFAULT_BAUD
        """Of the board."""
        self._endpoint = endpoint
        self._engine = engine
        self._pace = pace
        self._there = Faults(rates or Rates(), 2 * seed)
        self._back = Faults(rates or Rates(), 2 * seed + 1)
        self._max_baud = max_baud
        self._noise = random.Random(seed)
        self._asked, self._answered = Decoder(), Decoder()
        self._wanted: dict[int, int] = {}
        """Sequence number to divisor of the SET_BAUDs under way."""
        self._trial_ends: float | None = None
        self._hangups = endpoint.hangups
        self._coming: deque[tuple[float, bytes]] = deque()
        self._going: deque[tuple[float, bytes]] = deque()
        self._coming_free = self._going_free = 0.0
        self._saturated = False

    def run(self, stop: Callable[[], bool]) -> None:
        """Serve until `stop` says so; it is asked at least every IDLE_SECONDS."""
        while not stop():
            self.step(IDLE_SECONDS)

    def step(self, seconds: float) -> None:
        """Move what is due; wait for at most `seconds`."""
        now = time.monotonic()
        self._deliver(now)
        self._send(now)
        self._end_trial(now)
        room = self._portion() - sum(len(data) for _, data in self._coming)
        wait = min([seconds, *self._until_due(time.monotonic())])
        if room <= 0:
            time.sleep(max(wait, 0.0))
            return
        data = self._endpoint.read(room, wait)
        if self._endpoint.hangups != self._hangups:
            self._hangups = self._endpoint.hangups
            self._back_to_default()
        if data:
            now = time.monotonic()
            # If more was waiting than could be taken, the line has not rested since.
            slack = CATCH_UP_SECONDS if self._saturated else 0.0
            begin = self._coming_free if self._coming_free > now - slack else now
            self._coming_free = self._arrival(begin, len(data))
            self._coming.append((self._coming_free, data))
            self._saturated = len(data) == room

    def _until_due(self, now: float) -> list[float]:
        return [queue[0][0] - now for queue in (self._coming, self._going) if queue]

    def _portion(self) -> int:
        """Bytes that may be on their way at once."""
        return max(64, int(self.baud / 10 * CHUNK_SECONDS)) if self._pace else 1 << 16

    def _arrival(self, begin: float, count: int) -> float:
        """When `count` bytes that start at `begin` have arrived."""
        return begin + 10 * count / self.baud if self._pace else time.monotonic()

    def _deliver(self, now: float) -> None:
        """Give the engine what has arrived, and queue its replies."""
        late = self._there.due(now)
        if late:
            self._answer(late, now)
        while self._coming and self._coming[0][0] <= now:
            due, data = self._coming.popleft()
            if self._endpoint.host_baud() == DEFAULT_BAUD:
                # A pty carries no break. A host that speaks at this rate has sent one.
                self._back_to_default()
            if self._garbles():
                data = self._noise.randbytes(len(data))
            self._answer(self._there.carry(data, now), due)
        delayed = self._back.due(now)
        if delayed:
            self._queue(delayed, now)

    def _answer(self, data: bytes, arrived: float) -> None:
        engine = self._engine()
        if engine is None or not data:
            return
        for frame in self._asked.feed(data):
            self._trial_ends = None
            if frame.type == Type.SET_BAUD and len(frame.payload) == REQUESTS[Type.SET_BAUD].size:
                (self._wanted[frame.sequence],) = REQUESTS[Type.SET_BAUD].unpack(frame.payload)
        ready = arrived
        for sent in engine.receive(data):
            ready += sent.cycles / engine.clock_hz
            self._queue(self._back.carry(sent.data, ready), ready)

    def _queue(self, data: bytes, ready: float) -> None:
        for start in range(0, len(data), portion := self._portion()):
            piece = data[start : start + portion]
            self._going_free = self._arrival(max(self._going_free, ready), len(piece))
            self._going.append((self._going_free, piece))

    def _send(self, now: float) -> None:
        """Give the host what has been sent for long enough."""
        while self._going and self._going[0][0] <= now:
            _, data = self._going.popleft()
            garbled = self._garbles()
            self._endpoint.write(self._noise.randbytes(len(data)) if garbled else data)
            for frame in self._answered.feed(data):
                divisor = self._wanted.pop(frame.sequence, None)
                engine = self._engine()
                if frame.type == Type.SET_BAUD | REPLY and divisor and engine is not None:
                    self.baud = round(engine.clock_hz / divisor)
                    self._trial_ends = now + BAUD_TRIAL_SECONDS

    def _end_trial(self, now: float) -> None:
        """A new rate at which no good frame came is given up."""
        if self._trial_ends is not None and now >= self._trial_ends:
            self._back_to_default()

    def _back_to_default(self) -> None:
        self.baud, self._trial_ends = DEFAULT_BAUD, None

    def _garbles(self) -> bool:
        """Whether the two ends do not understand each other at the present rates."""
        if self._max_baud is not None and self.baud > self._max_baud:
            return True
        host = self._endpoint.host_baud()
        return host is not None and abs(host / self.baud - 1) > MISMATCH
