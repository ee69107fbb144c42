"""The integer model as a board's engine: whole frames, the rules of sequence numbers.

It knows docs/wire-protocol.md, "One request, one reply"; `commands` knows what the requests do.
"""

from __future__ import annotations

from edge_sdk.devices.board.kinds import BoardKind
from edge_sdk.devices.board.link import SEQUENCES, Decoder, Frame
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.devices.virtual.commands import Commands, I2CBus
from edge_sdk.devices.virtual.engine import Sent
from edge_sdk.firmware_images.contract.manifest import SIMULATED
from edge_sdk.firmware_images.contract.wire import ERROR, REFUSAL, REPLY, Code, Type

FEATURES = (SIMULATED, "integer model")
"""What HELLO says, so that nobody takes it for hardware."""
UNKNOWN_BUILD = "0" * 16
"""The build id of a board that booted no image of ours."""


def no_i2c(address: int, data: bytes, reads: int) -> bytes | None:
    """An I2C bus with nothing on it."""
    return None


class IntegerEngine:
    """See engine.Engine."""

    name = "integer model"

    def __init__(self, kind: BoardKind, build: str = UNKNOWN_BUILD, i2c: I2CBus = no_i2c) -> None:
        self.clock_hz = kind.clock_hz
        self._commands = Commands(kind, build, FEATURES, i2c)
        self._decoder = Decoder()
        self._expected = 0
        self._last: tuple[int, bytes] | None = None
        """Sequence number and encoded reply of the last request executed."""

    def receive(self, data: bytes) -> list[Sent]:
        """See engine.Engine.receive."""
        frames = self._decoder.feed(data)
        self._commands.frames = self._decoder.frames
        self._commands.frame_errors = self._decoder.errors
        return [self._answer(frame) for frame in frames]

    def _answer(self, frame: Frame) -> Sent:
        if frame.type != Type.HELLO:
            if self._last is not None and frame.sequence == self._last[0]:
                return Sent(self._last[1], 0)
            if frame.sequence != self._expected:
                return Sent(_refusal(frame, Code.BAD_SEQUENCE, self._expected).encode(), 0)
        before = self._commands.counting.busy
        try:
            payload = self._commands.execute(frame.type, frame.payload)
            reply = Frame(frame.type | REPLY, frame.sequence, payload)
        except Refused as refusal:
            reply = _refusal(frame, refusal.code, refusal.detail)
        self._expected = (frame.sequence + 1) % SEQUENCES
        self._last = frame.sequence, reply.encode()
        return Sent(self._last[1], self._commands.counting.busy - before)

    def close(self) -> None:
        """See engine.Engine.close."""


def _refusal(frame: Frame, code: Code, detail: int) -> Frame:
    return Frame(ERROR, frame.sequence, REFUSAL.pack(frame.type, code, detail))
