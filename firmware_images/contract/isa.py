"""The instructions of the accelerator: their fields and their 16-byte encoding.

It knows numbers and bit positions; docs/accelerator-isa.md says what each instruction computes and
`edge_sdk.devices.board.integer_model` computes it. It does not know models or gateware.

An instruction is eight little-endian halfwords. Its place in memory is a multiple of eight:

    0    opcode, flags << 8
    1    n: elements, or columns of a matrix
    2    EXTRA: rows (TMV), second offset (ACT, REC, PRD), epsilon term (NRM)
    3    offset of the first operand in its RAM, or of the destination (TMV)
    4 5  address in memory, in halfwords, low half first
    6    FACTOR: a mantissa (TMV, NRM), row stride (EMB), third offset (REC, PRD)
    7    rams and shift: ram1 | ram2 << 2 | ram3 << 4 | shift << 6 (10 bits, signed)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from edge_sdk.firmware_images.contract.geometry import Ram

VERSION = 1
INSTRUCTION_HALFWORDS = 8
INSTRUCTION_BYTES = 16
_STRUCT = struct.Struct("<HHHHIHH")


class Op(IntEnum):
    """What an instruction does; 0 and every number not listed is a bad opcode."""

    HALT = 0x01
    """End of a program."""
    EMB = 0x02
    """Embedding row of the current token to X."""
    NRM = 0x03
    """Sum of squares and its root: the scale of the matrices that follow."""
    QNT = 0x04
    """Vector times gain to int8 activations, with their scale."""
    TMV = 0x05
    """Ternary matrix times activations, scaled, to a RAM, to the residual or to the top k."""
    ACT = 0x06
    """SiLU, or sigmoid with its lower bound, element by element."""
    REC = 0x07
    """The recurrence of the MLGRU."""
    PRD = 0x08
    """Product of two vectors, block-normalised to 16 bits."""
    BOOT = 0x45
    """The record at address 0; not executed."""


class Flag(IntFlag):
    """Bits 8 to 15 of halfword 0. A bit that an instruction does not name must be zero."""

    NONE = 0
    FIVE_TRITS = 1
    """QNT, TMV: five trits a byte; otherwise four 2-bit digits."""
    GAIN = 2
    """NRM: multiply by the gain at `address` first; ACT: a bound stands at `address`."""
    BLOCK = 4
    """NRM: the input is block-normalised by the last PRD."""
    KEEP = 8
    """NRM: the epsilon term takes the last PRD's sum of squares; PRD: take that sum."""
    SIGMOID = 16
    """ACT: sigmoid, with the bound mixed in; otherwise SiLU."""
    ADD = 32
    """TMV: add to what stands at the destination."""
    TOP = 64
    """TMV: keep the largest sums instead of storing them."""


ALLOWED_FLAGS: dict[Op, Flag] = {
    Op.HALT: Flag.NONE,
    Op.EMB: Flag.NONE,
    Op.NRM: Flag.GAIN | Flag.BLOCK | Flag.KEEP,
    Op.QNT: Flag.FIVE_TRITS,
    Op.TMV: Flag.FIVE_TRITS | Flag.ADD | Flag.TOP,
    Op.ACT: Flag.GAIN | Flag.SIGMOID,
    Op.REC: Flag.NONE,
    Op.PRD: Flag.KEEP,
}


@dataclass(frozen=True)
class Instruction:
    """One instruction; fields that its opcode does not use are zero."""

    op: Op
    flags: Flag = Flag.NONE
    n: int = 0
    extra: int = 0
    offset: int = 0
    address: int = 0
    factor: int = 0
    ram1: Ram = Ram.X
    ram2: Ram = Ram.X
    ram3: Ram = Ram.X
    shift: int = 0
    """-512 to 511."""

    def encode(self) -> bytes:
        """The 16 bytes; raises ValueError for a field out of its range."""
        if not -512 <= self.shift <= 511:
            raise ValueError(f"shift {self.shift} does not fit 10 signed bits")
        last = self.ram1 | self.ram2 << 2 | self.ram3 << 4 | (self.shift & 0x3FF) << 6
        try:
            return _STRUCT.pack(
                self.op | self.flags << 8,
                self.n,
                self.extra,
                self.offset,
                self.address,
                self.factor,
                last,
            )
        except struct.error as error:
            raise ValueError(f"{self} does not fit its encoding: {error}") from None

    @classmethod
    def decode(cls, data: bytes) -> Instruction:
        """Read 16 bytes; raises ValueError for an opcode or a flag that does not exist."""
        first, n, extra, offset, address, factor, last = _STRUCT.unpack(data)
        op, flags = Op(first & 0xFF), Flag(first >> 8)
        if op not in ALLOWED_FLAGS or flags & ~ALLOWED_FLAGS[op]:
            raise ValueError(f"{op!r} with {flags!r} is no instruction")
        shift = last >> 6
        return cls(
            op,
            flags,
            n,
            extra,
            offset,
            address,
            factor,
            Ram(last & 3),
            Ram(last >> 2 & 3),
            Ram(last >> 4 & 3),
            shift - 1024 if shift >= 512 else shift,
        )


EPSILON_MANTISSA_BITS = 10
"""NRM's `extra`: mantissa in the low 10 bits, left shift of it in the high 6."""


@dataclass(frozen=True)
class Boot:
    """The record at address 0 of a memory image: where the two programs start."""

    vocabulary: int
    """Token ids below this are accepted."""
    state_halfwords: int
    """L * d: what SAVE_STATE reads."""
    body: int
    """Halfword address of the program that every token runs."""
    head: int
    """Halfword address of the program that scores the vocabulary."""

    _LAYOUT = struct.Struct("<HHHHII")

    def encode(self) -> bytes:
        """The 16 bytes; the version stands in halfword 3."""
        return self._LAYOUT.pack(
            Op.BOOT, self.vocabulary, self.state_halfwords, VERSION, self.body, self.head
        )

    @classmethod
    def decode(cls, data: bytes) -> Boot:
        """Read 16 bytes; raises ValueError for another record or version."""
        op, vocabulary, state, version, body, head = cls._LAYOUT.unpack(data)
        if op != Op.BOOT or version != VERSION:
            raise ValueError(f"no boot record of version {VERSION}")
        return cls(vocabulary, state, body, head)
