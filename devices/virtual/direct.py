"""A virtual board in this process: a transport whose other end is an engine.

It knows how bytes get to the engine and back, and how long the real board would take; it does not
know frames.
"""

from __future__ import annotations

import time

from edge_sdk.devices.board.transport import POLL_SECONDS
from edge_sdk.devices.virtual.engine import Engine
from edge_sdk.devices.virtual.faults import Faults, Rates

BREAK_SECONDS = 0.1


class DirectTransport:
    """See edge_sdk.devices.board.transport.Transport. There is no line, so there is no rate.

    The answer is computed inside `write`. With `pace` it takes as long as on the real board, or
    longer where this machine is slower.
    """

    baud: int | None = None

    def __init__(self, engine: Engine, name: str, *, pace: bool = True) -> None:
        self.name = name
        self.seconds = 0.0
        """Time that this machine has taken to compute."""
        self.board_seconds = 0.0
        """Time that the real board would have taken for the same."""
        self._engine = engine
        self._pace = pace
        self._ready = bytearray()

    def read(self, seconds: float) -> bytes:
        """See Transport.read."""
        if not self._ready and seconds > 0:
            time.sleep(min(seconds, POLL_SECONDS))
        data = bytes(self._ready)
        self._ready.clear()
        return data

    def write(self, data: bytes) -> None:
        """See Transport.write."""
        for sent in self.exchange(data):
            self._ready += sent

    def exchange(self, data: bytes) -> list[bytes]:
        """The replies to `data`, each after the time that it takes."""
        begin = time.perf_counter()
        answers = self._engine.receive(data)
        real = time.perf_counter() - begin
        board = sum(answer.cycles for answer in answers) / self._engine.clock_hz
        self.seconds += real
        self.board_seconds += board
        if self._pace and board > real:
            time.sleep(board - real)
        return [answer.data for answer in answers]

    def set_baud(self, rate: int) -> None:
        """See Transport.set_baud; there is none."""

    def send_break(self) -> None:
        """See Transport.send_break; nothing to bring back."""

    def close(self) -> None:
        """See Transport.close."""
        self._engine.close()


class FaultyTransport:
    """A transport with a bad cable in both directions, on a clock of its own: waiting is free."""

    baud: int | None = None

    def __init__(self, engine: Engine, rates: Rates, seed: int = 0, *, name: str = "bad") -> None:
        self.name = name
        self.now = 0.0
        """Seconds on this transport's clock."""
        self._engine = engine
        self._there = Faults(rates, 2 * seed)
        self._back = Faults(rates, 2 * seed + 1)
        self._ready = bytearray()

    @property
    def injected(self) -> int:
        """Faults so far."""
        return self._there.injected + self._back.injected

    def clock(self) -> float:
        """What a Client takes for the time."""
        return self.now

    def read(self, seconds: float) -> bytes:
        """See Transport.read; where nothing is ready, the clock goes on by `seconds`."""
        self._arrive(self._there.due(self.now))
        self._ready += self._back.due(self.now)
        if not self._ready:
            self.now += max(min(seconds, POLL_SECONDS), 0.0)
        data = bytes(self._ready)
        self._ready.clear()
        return data

    def write(self, data: bytes) -> None:
        """See Transport.write."""
        self._arrive(self._there.carry(data, self.now))

    def _arrive(self, data: bytes) -> None:
        if data:
            for answer in self._engine.receive(data):
                self._ready += self._back.carry(answer.data, self.now)

    def set_baud(self, rate: int) -> None:
        """See Transport.set_baud; there is none."""

    def send_break(self) -> None:
        """See Transport.send_break."""
        self.now += BREAK_SECONDS

    def close(self) -> None:
        """See Transport.close."""
        self._engine.close()
