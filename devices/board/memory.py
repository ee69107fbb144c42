"""A board's memory, and what was decoded from it: vectors, ternary matrices, programs.

It knows bytes and encodings; it does not know what is computed with them. Decoded values are kept
until memory is written, so that a token costs no decoding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edge_sdk.devices.board.arithmetic import Ints
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.devices.board.ternary_rows import decode_rows, row_bytes
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.isa import (
    INSTRUCTION_BYTES,
    INSTRUCTION_HALFWORDS,
    Instruction,
    Op,
)
from edge_sdk.firmware_images.contract.wire import Code

Program = list[tuple[int, Instruction | None]]
"""(halfword address, instruction) to HALT, or to None where there is no instruction."""


class Memory:
    """`geometry.memory_words` words, zero at power-on; addresses count halfwords."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._bytes = bytearray(geometry.memory_words * geometry.memory_bits // 8)
        self._forget()

    @property
    def halfwords(self) -> int:
        """How many it holds."""
        return len(self._bytes) // 2

    def write(self, address: int, data: bytes) -> None:
        """Write whole halfwords; raises Refused(BAD_ADDRESS) beyond the end."""
        self._check(address, len(data))
        self._bytes[2 * address : 2 * address + len(data)] = data
        self._forget()

    def read(self, address: int, count: int) -> bytes:
        """`count` bytes; raises Refused(BAD_ADDRESS) beyond the end."""
        self._check(address, count)
        return bytes(self._bytes[2 * address : 2 * address + count])

    def vector(self, address: int, n: int) -> Ints:
        """int64 [n]: signed halfwords."""
        key = (address, n)
        if key not in self._vectors:
            self._vectors[key] = np.frombuffer(self.read(address, 2 * n), "<i2").astype(np.int64)
        return self._vectors[key]

    def matrix(self, address: int, rows: int, n: int, five_trits: bool) -> npt.NDArray[np.float32]:
        """Ternary weights as float32 [rows, n], in which BLAS sums them exactly."""
        key = (address, rows, n, five_trits)
        if key not in self._matrices:
            width = row_bytes(n, self._geometry, five_trits)
            data = np.frombuffer(self.read(address, rows * width), np.uint8)
            trits = decode_rows(data.reshape(rows, width), n, five_trits)
            self._matrices[key] = trits.astype(np.float32)
        return self._matrices[key]

    def program(self, address: int) -> Program:
        """The program that starts at `address`."""
        if address not in self._programs:
            self._programs[address] = list(self._decode(address))
        return self._programs[address]

    def _decode(self, address: int) -> Iterator[tuple[int, Instruction | None]]:
        aligned = max(INSTRUCTION_HALFWORDS, self._geometry.halfwords_per_word)
        if address % aligned:
            yield address, None
            return
        for at in range(address, self.halfwords - INSTRUCTION_HALFWORDS + 1, INSTRUCTION_HALFWORDS):
            try:
                one = Instruction.decode(self.read(at, INSTRUCTION_BYTES))
            except ValueError:
                yield at, None
                return
            yield at, one
            if one.op == Op.HALT:
                return
        yield self.halfwords, None

    def _check(self, address: int, count: int) -> None:
        if count % 2 or not 0 <= 2 * address <= 2 * address + count <= len(self._bytes):
            raise Refused(
                Code.BAD_ADDRESS,
                address,
                f"{count} bytes at address {address} were refused; expected whole halfwords "
                f"below address {self.halfwords}.",
            )

    def _forget(self) -> None:
        self._vectors: dict[tuple[int, int], Ints] = {}
        self._matrices: dict[tuple[int, int, int, bool], npt.NDArray[np.float32]] = {}
        self._programs: dict[int, Program] = {}
