"""Which of many requests are under way, acknowledged, or have to be sent once more (go-back-N).

It knows sequence numbers and what a reply says about them; it does not know ports or time.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.devices.board.link import SEQUENCES, Frame
from edge_sdk.devices.board.protocol import read_refusal
from edge_sdk.firmware_images.contract.wire import ERROR, REPLY, Code, Type

SIZE = 32
"""Requests under way at once: at 3 Mbaud 0.1 s, well above a USB chip's delays."""


class Window:
    """Requests of one type with consecutive numbers, whose replies carry nothing."""

    def __init__(self, kind: Type, first: int, payloads: Sequence[bytes]) -> None:
        """first: the sequence number of the first one."""
        self.acknowledged = 0
        """How many, from the front, the board has executed."""
        self.repeats = 0
        """How many were sent again."""
        self.lost = False
        """The board counts otherwise than we do: only HELLO helps."""
        self._kind, self._first = kind, first
        self._frames = [
            Frame(kind, (first + index) % SEQUENCES, payload).encode()
            for index, payload in enumerate(payloads)
        ]
        self._sent = 0
        self._stale = 0
        """Refusals that are still to come and say nothing new."""
        self._old = 0
        """Refusals since the last step forward that name what was executed long ago."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do here."""
        return self.lost or self.acknowledged == len(self._frames)

    @property
    def under_way(self) -> int:
        """Bytes sent and not acknowledged."""
        return sum(len(frame) for frame in self._frames[self.acknowledged : self._sent])

    def next(self) -> bytes | None:
        """The next frame to send, or None while enough are under way."""
        if self._sent == len(self._frames) or self._sent - self.acknowledged >= SIZE:
            return None
        self._sent += 1
        return self._frames[self._sent - 1]

    def take(self, reply: Frame) -> bool:
        """Learn from a reply; True if it brings anything forward. Raises Refused."""
        index = (reply.sequence - self._first) % SEQUENCES
        if index >= len(self._frames):
            return False
        if reply.type == self._kind | REPLY and index >= self.acknowledged:
            # It executed all before this one, too, or it would have refused it.
            self.acknowledged, self._stale, self._old = index + 1, 0, 0
            self._sent = max(self._sent, self.acknowledged)
            return True
        if reply.type != ERROR:
            return False
        refusal = read_refusal(reply.payload)
        if refusal.code != Code.BAD_SEQUENCE:
            raise refusal
        expected = (refusal.detail - self._first) % SEQUENCES
        if expected < self.acknowledged and self._old < SIZE:
            # It was on its way for long. If not, more of them will come.
            self._old += 1
        elif not self.acknowledged <= expected <= len(self._frames):
            self.lost = True
        elif self._stale:
            self._stale -= 1
        else:
            # What was sent after the refused one will be refused, too: one answer to all.
            self._stale = max(self._sent - index - 1, 0)
            self._go_back(expected)
            return True
        return False

    def again(self) -> None:
        """Nothing was heard for too long: begin once more at the first that is not acknowledged."""
        self._stale = 0
        self._go_back(self.acknowledged)

    def _go_back(self, to: int) -> None:
        self.repeats += max(self._sent - to, 0)
        self.acknowledged = self._sent = to
