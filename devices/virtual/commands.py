"""Executes requests as a board does, on the integer model (docs/wire-protocol.md, "Requests").

It knows what each request does and when it is refused; it does not know frames or sequence
numbers.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np

from edge_sdk.devices.board.integer_model import IntegerModel
from edge_sdk.devices.board.kinds import BoardKind
from edge_sdk.devices.board.protocol import NO_MODEL
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.devices.virtual.counting import Counting
from edge_sdk.firmware_images.contract.geometry import MAX_TOP_K, Ram
from edge_sdk.firmware_images.contract.isa import INSTRUCTION_HALFWORDS, Boot, Instruction
from edge_sdk.firmware_images.contract.manifest import pack_manifest
from edge_sdk.firmware_images.contract.wire import (
    MAGIC,
    MAX_DATA,
    MAX_FEED,
    PROTOCOL,
    REPLIES,
    REQUESTS,
    TOP_ENTRY,
    Code,
    HelloFlag,
    Space,
    Type,
)

I2C_MOST = 16
I2CBus = Callable[[int, bytes, int], bytes | None]
"""(address, bytes to write, bytes to read) to what was read, or None if nothing answers."""
_RAMS = {Space.RAM_X: Ram.X, Space.RAM_S: Ram.S, Space.RAM_A: Ram.A, Space.RAM_B: Ram.B}


class Commands:
    """A board at power-on."""

    def __init__(self, kind: BoardKind, build: str, features: tuple[str, ...], i2c: I2CBus) -> None:
        """build: 16 hex digits, of the image that was booted."""
        self.counting = Counting(kind.geometry, kind.clock_hz)
        self.frames = self.frame_errors = 0
        """Counted by whoever decodes them."""
        self._kind = kind
        self._build = bytes.fromhex(build)
        self._manifest = pack_manifest(kind.name, build, kind.clock_hz, kind.geometry, features)
        self._i2c = i2c
        self._core = IntegerModel(kind.geometry, cost=self.counting.charge)
        self._announced = self._resident = NO_MODEL
        self._boot: Boot | None = None
        self._position = 0
        self._handlers: dict[Type, Callable[[bytes], bytes]] = {
            Type.HELLO: self._hello,
            Type.SET_BAUD: self._set_baud,
            Type.LOAD_BEGIN: self._load_begin,
            Type.WRITE: self._write,
            Type.READ: self._read,
            Type.CHECK: self._check,
            Type.LOAD_COMMIT: self._load_commit,
            Type.RESET: self._reset,
            Type.FEED: self._feed,
            Type.SEEK: self._seek,
            Type.EXECUTE: self._execute,
            Type.COUNTERS: self._counters,
            Type.I2C: self._transfer,
        }

    def execute(self, kind: int, payload: bytes) -> bytes:
        """The payload of the reply; raises Refused, and then nothing has happened."""
        if kind not in list(Type):
            raise _refused(Code.UNKNOWN_TYPE)
        fixed = REQUESTS[Type(kind)].size
        if len(payload) < fixed or (len(payload) > fixed and kind not in _WITH_TAIL):
            raise _refused(Code.BAD_LENGTH)
        return self._handlers[Type(kind)](payload)

    def _hello(self, payload: bytes) -> bytes:
        flags = 1 << HelloFlag.MEMORY_GOOD | (self._boot is not None) << HelloFlag.RESIDENT
        found = self._core.memory.halfwords
        resident = self._resident if self._boot else NO_MODEL
        head = REPLIES[Type.HELLO].pack(
            MAGIC, PROTOCOL, flags, found, self._position, self._build, resident
        )
        return head + self._manifest

    def _set_baud(self, payload: bytes) -> bytes:
        (cycles,) = REQUESTS[Type.SET_BAUD].unpack(payload)
        if cycles < LEAST_CYCLES_A_BIT:
            raise _refused(Code.BAD_ARGUMENT)
        return b""

    # Uploads.

    def _load_begin(self, payload: bytes) -> bytes:
        (self._announced,) = REQUESTS[Type.LOAD_BEGIN].unpack(payload)
        self._boot, self._position = None, 0
        return b""

    def _write(self, payload: bytes) -> bytes:
        layout = REQUESTS[Type.WRITE]
        space, reserved, address = layout.unpack_from(payload)
        data = payload[layout.size :]
        if not 2 <= len(data) <= MAX_DATA or len(data) % 2:
            raise _refused(Code.BAD_LENGTH)
        ram = self._ram_of(space, reserved)
        if ram is not None:
            self._check_ram(ram, address, len(data) // 2)
            self._core.write_ram(ram, address, np.frombuffer(data, "<i2"))
            return b""
        self._check_aligned(address, len(data) // 2)
        if self._boot is not None:
            raise _refused(Code.BAD_ARGUMENT)
        self._core.memory.write(address, data)
        return b""

    def _read(self, payload: bytes) -> bytes:
        space, reserved, address, count = REQUESTS[Type.READ].unpack(payload)
        if not 1 <= count <= MAX_DATA // 2:
            raise _refused(Code.BAD_LENGTH)
        ram = self._ram_of(space, reserved)
        if ram is not None:
            self._check_ram(ram, address, count)
            return self._core.read_ram(ram, address, count).astype("<i2").tobytes()
        self._check_aligned(address, count)
        return self._core.memory.read(address, 2 * count)

    def _check(self, payload: bytes) -> bytes:
        address, count = REQUESTS[Type.CHECK].unpack(payload)
        self._check_aligned(address, count)
        crc = zlib.crc32(self._core.memory.read(address, 2 * count))
        return REPLIES[Type.CHECK].pack(crc)

    def _load_commit(self, payload: bytes) -> bytes:
        count, crc, sha256 = REQUESTS[Type.LOAD_COMMIT].unpack(payload)
        self._check_aligned(0, count)
        same = zlib.crc32(self._core.memory.read(0, 2 * count)) == crc
        if sha256 != self._announced or not same:
            raise _refused(Code.BAD_IMAGE)
        boot = self._core.boot
        starts = (boot.body, boot.head)
        bad_start = any(at % INSTRUCTION_HALFWORDS or at >= count for at in starts)
        if bad_start or boot.state_halfwords > self._kind.geometry.s_depth:
            raise _refused(Code.BAD_IMAGE)
        self._boot, self._resident = boot, sha256
        return self._reset(b"")

    # Running.

    def _reset(self, payload: bytes) -> bytes:
        self._needs_model()
        self._core.reset()
        self._position = 0
        return b""

    def _feed(self, payload: bytes) -> bytes:
        layout = REQUESTS[Type.FEED]
        position, top_k, reserved, count = layout.unpack_from(payload)
        if len(payload) != layout.size + 2 * count or not 1 <= count <= MAX_FEED:
            raise _refused(Code.BAD_LENGTH)
        boot = self._needs_model()
        if top_k > MAX_TOP_K or reserved:
            raise _refused(Code.BAD_ARGUMENT)
        if position != self._position:
            raise _refused(Code.BAD_POSITION, self._position)
        ids = struct.unpack_from(f"<{count}H", payload, layout.size)
        if max(ids) >= boot.vocabulary:
            raise _refused(Code.BAD_TOKEN)
        before = self.counting.busy
        for token in ids:
            self.counting.begin()
            self._core.run(boot.body, token=token)
        entries, mantissa, shift = b"", 0, 0
        if top_k:
            self.counting.begin()
            self._core.run(boot.head, top_k=top_k)
            scores = self._core.scores
            pairs = zip(scores.rows.tolist(), scores.sums.tolist(), strict=True)
            entries = b"".join(TOP_ENTRY.pack(*pair) for pair in pairs)
            mantissa, shift = scores.mantissa, scores.shift
        self._position += count
        cycles = (self.counting.busy - before) & 0xFFFF_FFFF
        found = len(entries) // TOP_ENTRY.size
        head = REPLIES[Type.FEED].pack(self._position, cycles, mantissa, shift, found)
        return head + entries

    def _seek(self, payload: bytes) -> bytes:
        self._needs_model()
        (self._position,) = REQUESTS[Type.SEEK].unpack(payload)
        return b""

    def _execute(self, payload: bytes) -> bytes:
        try:
            one = Instruction.decode(payload)
        except ValueError:
            raise _refused(Code.BAD_OPCODE) from None
        before = self.counting.busy
        self.counting.begin()
        self._core.execute(one)
        return REPLIES[Type.EXECUTE].pack(self.counting.busy - before)

    def _counters(self, payload: bytes) -> bytes:
        values = self.counting.read(self._core.saturations, self.frames, self.frame_errors)
        return REPLIES[Type.COUNTERS].pack(*values)

    def _transfer(self, payload: bytes) -> bytes:
        layout = REQUESTS[Type.I2C]
        address, writes, reads = layout.unpack_from(payload)
        data = payload[layout.size :]
        if len(data) != writes:
            raise _refused(Code.BAD_LENGTH)
        if address > 0x7F or max(writes, reads) > I2C_MOST:
            raise _refused(Code.BAD_ARGUMENT)
        found = self._i2c(address, data, reads)
        if found is None:
            raise _refused(Code.NO_DEVICE)
        return found

    # Checks.

    def _ram_of(self, space: int, reserved: int) -> Ram | None:
        """The RAM that is meant; None for memory."""
        if space not in list(Space) or reserved:
            raise _refused(Code.BAD_ARGUMENT)
        return _RAMS.get(Space(space))

    def _check_ram(self, ram: Ram, address: int, count: int) -> None:
        if address + count > self._kind.geometry.depth(ram):
            raise _refused(Code.BAD_ADDRESS)

    def _check_aligned(self, address: int, count: int) -> None:
        step = self._kind.geometry.halfwords_per_word
        beyond = address + count > self._core.memory.halfwords
        if address % step or count % step or beyond or not count:
            raise _refused(Code.BAD_ADDRESS)

    def _needs_model(self) -> Boot:
        if self._boot is None:
            raise _refused(Code.NO_MODEL)
        return self._boot


_WITH_TAIL = (Type.WRITE, Type.FEED, Type.I2C)
LEAST_CYCLES_A_BIT = 4
"""A receiver samples a bit in its middle; less is no middle."""


def _refused(code: Code, detail: int = 0) -> Refused:
    return Refused(code, detail, f"refused with {code.name}.")
