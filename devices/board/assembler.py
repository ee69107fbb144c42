"""Puts instructions and data together into one memory image.

It knows placement, alignment and relocation; it does not know what a model is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from edge_sdk.devices.board.operands import memory_span
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.isa import (
    INSTRUCTION_BYTES,
    INSTRUCTION_HALFWORDS,
    Boot,
    Instruction,
    Op,
)

HALT = Instruction(Op.HALT)


@dataclass
class Assembler:
    """Collects data, in the order in which it is read, and the two programs that read it."""

    geometry: Geometry
    body: list[Instruction] = field(default_factory=list)
    head: list[Instruction] = field(default_factory=list)
    _data: bytearray = field(default_factory=bytearray)

    def place(self, data: bytes | memoryview) -> int:
        """Add data on a word boundary; its address, in halfwords from the start of all data."""
        address = len(self._data) // 2
        self._data += data
        self._pad(self._data)
        return address

    def image(self, vocabulary: int, state_halfwords: int) -> bytes:
        """Boot record, body, head and data; the addresses of the instructions are made absolute."""
        step = max(INSTRUCTION_HALFWORDS, self.geometry.halfwords_per_word)
        body = step
        head = body + _aligned(INSTRUCTION_HALFWORDS * (len(self.body) + 1), step)
        data = head + _aligned(INSTRUCTION_HALFWORDS * (len(self.head) + 1), step)
        out = bytearray(2 * data)
        out[:16] = Boot(vocabulary, state_halfwords, body, head).encode()
        for start, program in ((body, self.body), (head, self.head)):
            code = self._encode([*program, HALT], data)
            out[2 * start : 2 * start + len(code)] = code
        return bytes(out + self._data)

    def _encode(self, program: Iterable[Instruction], base: int) -> bytes:
        moved = (
            replace(one, address=one.address + base) if memory_span(one, self.geometry)[1] else one
            for one in program
        )
        return b"".join(one.encode() for one in moved)

    def _pad(self, data: bytearray) -> None:
        data += bytes(-len(data) % (self.geometry.memory_bits // 8))


def digest(image: bytes) -> bytes:
    """SHA-256 of an image: what a board reports as its resident model."""
    return hashlib.sha256(image).digest()


def listing(image: bytes, address: int) -> Iterator[Instruction]:
    """The instructions of the program at a halfword address, up to its HALT and with it.

    Raises ValueError where there is no instruction.
    """
    for start in range(2 * address, len(image) - INSTRUCTION_BYTES + 1, INSTRUCTION_BYTES):
        one = Instruction.decode(image[start : start + INSTRUCTION_BYTES])
        yield one
        if one.op == Op.HALT:
            return


def _aligned(value: int, to: int) -> int:
    return -(-value // to) * to
