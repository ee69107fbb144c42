"""Requests and replies with a board: sequence numbers, repeats, the window, what a loss means.

It knows how an exchange survives lost, damaged, doubled and late frames (docs/wire-protocol.md,
"One request, one reply"); it does not know what the requests are for.

Every request may be sent again, because the board executes a number once, and FEED carries the
position that it continues from. So whatever the line does, an exchange ends with the right reply
or a LinkError.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence

from edge_sdk.devices.board.link import DELIMITER, SEQUENCES, Decoder, Frame
from edge_sdk.devices.board.protocol import Hello, read_hello, read_refusal
from edge_sdk.devices.board.transport import POLL_SECONDS, Transport
from edge_sdk.devices.board.window import Window
from edge_sdk.errors import DeviceTimeout, LinkError
from edge_sdk.firmware_images.contract.wire import ERROR, REPLY, Code, Type

REPEAT_SECONDS = 0.25
"""A request without a reply is sent again after this, beyond the time that its bytes take."""
PATIENCE_SECONDS = 3.0
"""A board that has not answered by then, repeats included, is taken for dead."""
_JUMP = 1024
"""HELLO's number is this far ahead, so that nothing old on the line can have a number in use."""
_RESYNCS = 3
GIVE_UP_REPEATS = 6
"""A request repeated so often while damaged frames come in: the line is too fast for its cable."""


class Client:
    """One board at the other end of a transport. Calls from several threads take turns."""

    def __init__(
        self, transport: Transport, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """clock: seconds; a test's own makes waiting cost nothing."""
        self.transport = transport
        self.repeats = 0
        """Requests that had to be sent again."""
        self.slow_down: Callable[[], bool] | None = None
        """Lowers the rate of the line; False where it is the lowest. Set by `rate`."""
        self._clock = clock
        self._decoder = Decoder()
        self._sequence = random.randrange(SEQUENCES)
        self.lock = threading.RLock()

    @property
    def errors(self) -> int:
        """Stretches of bytes from the board that were no frame."""
        return self._decoder.errors

    def hello(self, seconds: float = PATIENCE_SECONDS) -> Hello:
        """Ask what the board is, and begin a new count of sequence numbers."""
        with self.lock:
            self._sequence = (self._sequence + _JUMP) % SEQUENCES
            frame = Frame(Type.HELLO, self._sequence).encode()
            reply = self._exchange(Type.HELLO, 2 * DELIMITER + frame, REPEAT_SECONDS, seconds)
            return read_hello(reply.payload)

    def request(
        self,
        kind: Type,
        payload: bytes = b"",
        *,
        work: float = 0.0,
        patience: float = PATIENCE_SECONDS,
        cost: int = 64,
    ) -> bytes:
        """Send one request and return the payload of its reply.

        work: seconds that the board needs for it, so that it is not repeated too soon. cost: bytes
        of the reply, for the same reason. Raises Refused, DeviceTimeout, DeviceDisconnected.
        """
        with self.lock:
            for _ in range(_RESYNCS):
                self._sequence = (self._sequence + 1) % SEQUENCES
                frame = Frame(kind, self._sequence, payload).encode()
                pause = REPEAT_SECONDS + work + self.line_seconds(len(frame) + cost)
                try:
                    reply = self._exchange(kind, frame, pause, max(patience, 3 * pause))
                except DeviceTimeout:
                    if self._slower():
                        continue
                    raise
                if reply.type != ERROR:
                    return reply.payload
                refusal = read_refusal(reply.payload)
                if refusal.code != Code.BAD_SEQUENCE:
                    raise refusal
                self.hello()
        raise self._out_of_step()

    def stream(self, kind: Type, payloads: Sequence[bytes]) -> None:
        """Send requests whose replies carry nothing, without waiting for each of them.

        A reply counts for all requests before it, so what they did must be checked afterwards.
        Raises Refused, DeviceTimeout, DeviceDisconnected.
        """
        with self.lock:
            failures = 0
            while payloads:
                try:
                    done = self._stream(kind, payloads)
                except DeviceTimeout:
                    if self._slower():
                        # From the start: writing the same twice does no harm.
                        continue
                    raise
                payloads = payloads[done:]
                if payloads:
                    failures = 0 if done else failures + 1
                    if failures == _RESYNCS:
                        raise self._out_of_step()
                    self.hello()

    def _slower(self) -> bool:
        """Whether the line now has a lower rate, at which it is worth trying again."""
        lower, self.slow_down = self.slow_down, None
        if lower is None:
            return False
        try:
            return lower()
        finally:
            self.slow_down = lower

    def _stream(self, kind: Type, payloads: Sequence[bytes]) -> int:
        """How many were acknowledged before the board lost count; all of them, normally."""
        window = Window(kind, self._sequence + 1, payloads)
        self._sequence = (self._sequence + len(payloads)) % SEQUENCES
        forward = heard = self._clock()
        while not window.done:
            frame = window.next()
            if frame is not None:
                self.transport.write(frame)
            before = window.acknowledged
            for reply in self._arrived(POLL_SECONDS if frame is None else 0):
                if window.take(reply):
                    heard = self._clock()
            now = self._clock()
            line = self.line_seconds(window.under_way)
            if window.acknowledged > before:
                forward = now
            if now - heard > REPEAT_SECONDS + line:
                self.transport.write(DELIMITER)
                window.again()
                heard = now
            if now - forward > PATIENCE_SECONDS + line:
                raise self._silent(kind, now - forward)
        self.repeats += window.repeats
        return window.acknowledged

    def _exchange(self, kind: Type, frame: bytes, pause: float, patience: float) -> Frame:
        """Send `frame` until its reply comes: again after `pause`, and then ever more slowly."""
        sequence, errors, repeats = self._sequence, self.errors, 0
        begin = self._clock()
        while True:
            self.transport.write(frame)
            reply = self._reply(kind, sequence, min(pause, begin + patience - self._clock()))
            if reply is not None:
                return reply
            hopeless = repeats >= GIVE_UP_REPEATS and self.errors > errors
            if self._clock() - begin >= patience or (hopeless and self.slow_down is not None):
                raise self._silent(kind, self._clock() - begin)
            repeats += 1
            self.repeats += 1
            pause *= 1.5
            # Ends whatever half a frame the board may have.
            frame = DELIMITER + frame.lstrip(DELIMITER)

    def _reply(self, kind: Type, sequence: int, seconds: float) -> Frame | None:
        """The reply to `kind` with this number, or None if it does not come in time."""
        until = self._clock() + seconds
        while True:
            for frame in self._arrived(min(until - self._clock(), POLL_SECONDS)):
                if frame.sequence == sequence and frame.type in (kind | REPLY, ERROR):
                    return frame
            if self._clock() >= until:
                return None

    def _arrived(self, seconds: float) -> list[Frame]:
        return self._decoder.feed(self.transport.read(seconds))

    def line_seconds(self, count: int) -> float:
        """How long `count` bytes take on the line: ten bits each."""
        return 10 * count / self.transport.baud if self.transport.baud else 0.0

    def _silent(self, kind: Type, seconds: float) -> DeviceTimeout:
        return DeviceTimeout(
            f"no board answered {kind.name} on {self.transport.name} within {seconds:.1f} seconds.",
            hint="check that it has power and that its image is loaded: `edge-sdk flash`.",
        )

    def _out_of_step(self) -> LinkError:
        return LinkError(
            f"the board on {self.transport.name} keeps losing count of the messages.",
            hint="make sure that no other program uses the port, then open the board again.",
        )

    def close(self) -> None:
        """Let the port go."""
        self.transport.close()
