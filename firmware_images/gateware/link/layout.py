"""Where everything stands in the link's RAM, and the settings that its program is made for.

It knows buffers and variables; it does not know what the program does with them.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_sdk.firmware_images.contract import wire
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.manifest import MAX_MANIFEST
from edge_sdk.firmware_images.gateware.link.assembler import Assembler, Label, Word

WATCHDOG_CYCLES = 1 << 27
BUILD_ID_BYTES = 8
I2C_HZ = 100_000
I2C_LOOP_CYCLES = 6
"""Of one turn of the program's delay."""

REQUEST_BYTES = 1 + wire.HEADER.size + wire.MAX_PAYLOAD + wire.CRC.size
"""A frame begins at byte 1."""


@dataclass(frozen=True)
class Settings:
    """What one build of the link is made for. Times are clock cycles."""

    geometry: Geometry
    clock_hz: int
    manifest: bytes
    """msgpack, at most 256 bytes."""
    build_id: bytes = bytes(BUILD_ID_BYTES)
    watchdog_cycles: int = WATCHDOG_CYCLES
    trial_cycles: int | None = None
    """How long a new baud rate may stay without a good frame; two seconds if None."""
    i2c_delay: int | None = None
    """Turns of the delay in half a bit; 100 kHz or a little less if None."""
    patience: int = 0xFFFF
    """How often the program looks for what may never come: an I2C slave that lets go of SCL, a
    core that obeys an abort, memory that answers."""

    def __post_init__(self) -> None:
        if len(self.manifest) > MAX_MANIFEST:
            raise ValueError(f"a manifest of {len(self.manifest)} bytes is over {MAX_MANIFEST}")
        if len(self.build_id) != BUILD_ID_BYTES:
            raise ValueError(f"a build id has {BUILD_ID_BYTES} bytes, not {len(self.build_id)}")
        if self.geometry.memory_bits > 128:
            raise ValueError("the boot record has to fill a memory word: 128 bits at most")

    @property
    def default_divisor(self) -> int:
        """Cycles a bit at the default rate."""
        return round(self.clock_hz / wire.DEFAULT_BAUD)

    @property
    def trial(self) -> int:
        """Cycles that a new rate is tried for."""
        if self.trial_cycles is not None:
            return self.trial_cycles
        return wire.BAUD_TRIAL_SECONDS * self.clock_hz

    @property
    def i2c_turns(self) -> int:
        """Turns of the delay in half a bit."""
        if self.i2c_delay is not None:
            return self.i2c_delay
        return -(-self.clock_hz // (2 * I2C_HZ * I2C_LOOP_CYCLES))


@dataclass(frozen=True)
class Message:
    """A frame in RAM, from the word that has its type in the high byte."""

    first: Word

    @property
    def kind(self) -> Word:
        """The type, times 256."""
        return self.first

    @property
    def sequence(self) -> Word:
        """The sequence number."""
        return self.first[1]

    @property
    def length(self) -> Word:
        """Bytes of payload."""
        return self.first[2]

    @property
    def payload(self) -> Word:
        """The first halfword of the payload."""
        return self.first[3]


class Layout:
    """Buffers first, then what stands in them at power-on, then variables."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.code = p = Assembler(free=0)
        self.request = Message(p.words((REQUEST_BYTES + 1) // 2))
        self.reply = Message(p.words(3 + wire.MAX_DATA // 2))
        self.hello = self._hello()
        gap = wire.REFUSAL.pack(0, wire.Code.BAD_SEQUENCE, 0)
        self.gap = Message(p.table(_frame(wire.ERROR, gap)))
        """The refusal of a wrong number: not in `reply`, which stays what it was."""

        self.position = self.hello.payload[6]
        self.sha = self.hello.payload[12]
        self.flags = self.hello.payload[3]
        self.resident = p.words()
        """0, or that bit of HELLO's flags."""
        self.announced = p.words(16)
        """The SHA-256 of LOAD_BEGIN."""
        self.vocabulary = p.words()
        self.body = p.words(2)
        self.head = p.words(2)
        self.frames = p.words(2)
        self.frame_errors = p.words(2)
        self.last_sequence = p.words()
        self.last_reply = p.words()
        """First word of the reply to it; 0 before the first."""
        self.sends = p.words()
        """First word of the frame that goes out."""
        self.divisor = p.words()
        """To be set when the reply has gone; 0 for none."""
        self.trial = p.words()
        self.trial_start = p.words(2)
        self.detail = p.words(2)
        self.task = p.words()
        self.busy_before = p.words(2)
        """Counter.BUSY when the request was accepted."""
        self.address = p.words(2)
        self.count = p.words(2)
        self.limit = p.words(2)
        self.space = p.words()

    def _hello(self) -> Message:
        settings = self.settings
        fixed = wire.REPLIES[wire.Type.HELLO].pack(
            wire.MAGIC, wire.PROTOCOL, 0, 0, 0, settings.build_id, bytes(32)
        )
        payload = fixed + settings.manifest
        return Message(self.code.table(_frame(wire.Type.HELLO | wire.REPLY, payload)))


def _frame(kind: int, payload: bytes) -> list[int | Label]:
    data = bytes([0]) + wire.HEADER.pack(kind, 0, len(payload)) + payload + bytes(len(payload) % 2)
    return [int.from_bytes(data[i : i + 2], "little") for i in range(0, len(data), 2)]
