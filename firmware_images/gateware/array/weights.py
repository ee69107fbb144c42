"""Weights out of a memory word, in both encodings of docs/accelerator-isa.md.

It knows bytes and digits; it does not know rows or activations.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, unsigned
from amaranth.lib import data, enum, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.contract.geometry import DIGITS_PER_BYTE, TRITS_PER_BYTE


class Select(enum.IntEnum, shape=unsigned(2)):
    """What a lane adds for its activation x; INVERTED becomes -x with a carry of 1."""

    ZERO = 0
    ONCE = 1
    INVERTED = 2
    TWICE = 3


WEIGHT = data.StructLayout({"select": Select, "carry": 1})
"""One weight; carry is 1 with INVERTED. As a bit of its own it costs no logic: it is tabulated."""
_OF_DIGIT = (Select.INVERTED, Select.ZERO, Select.ONCE, Select.TWICE)
"""Digit = weight + 1."""


def digits(byte: int, five: bool) -> list[int]:
    """The five digits that `byte` gives; the fifth of a 2-bit byte is a weight of 0."""
    if not five:
        return [byte >> 2 * i & 3 for i in range(DIGITS_PER_BYTE)] + [1]
    found = []
    for _ in range(TRITS_PER_BYTE):
        digit, byte = divmod(3 * byte, 256)
        found.append(digit)
    return found


def table() -> list[int]:
    """Five weights for each byte as 2-bit digits, then for each byte as five trits."""
    rows = []
    for five in (False, True):
        for byte in range(256):
            row = 0
            for lane, digit in enumerate(digits(byte, five)):
                select = _OF_DIGIT[digit]
                code = int(select) | (select == Select.INVERTED) << 2
                row |= code << lane * WEIGHT.size
            rows.append(row)
    return rows


class WeightDecoder(wiring.Component):
    """Five lanes a byte, one cycle after the word.

    The table is a block RAM for every two bytes of the word: the arithmetic that it replaces
    costs some 50 LUTs a byte, and block RAMs have two ports.

    Args:
        memory_bits: width of a word, whole bytes.
    """

    def __init__(self, memory_bits: int) -> None:
        self.bytes = memory_bits // 8
        super().__init__(
            {
                "word": In(memory_bits),
                "five": In(1),
                "weights": Out(data.ArrayLayout(WEIGHT, TRITS_PER_BYTE * self.bytes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Byte j feeds lanes 5j to 5j+4."""
        m = Module()
        bits = TRITS_PER_BYTE * WEIGHT.size
        codes = []
        rom = None
        for byte in range(self.bytes):
            if byte % 2 == 0:
                rom = Memory(shape=bits, depth=512, init=table())
                m.submodules[f"rom{byte}"] = rom
            assert rom is not None
            port = rom.read_port()
            m.d.comb += port.addr.eq(Cat(self.word.word_select(byte, 8), self.five))
            codes.append(port.data)
        m.d.comb += self.weights.as_value().eq(Cat(codes))
        return m
