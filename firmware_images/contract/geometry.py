"""The sizes that one bitstream is built with, and so what a model may ask of it.

It knows widths and depths; it does not know boards' pins, instructions or models.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

ELEMENT_BITS = 16
"""Bits of a vector element; memory addresses count these halfwords."""
TRITS_PER_BYTE = 5
DIGITS_PER_BYTE = 4
ACCUMULATOR_BITS = 24
"""|sum| <= 127 * columns, and columns is at most 16 bits wide."""
MAX_TOP_K = 64


class Ram(IntEnum):
    """The on-chip vector memories, as instructions and READ/WRITE number them."""

    X = 0
    """The residual of the token being computed."""
    S = 1
    """The recurrent state of all layers, kept between tokens."""
    A = 2
    B = 3


@dataclass(frozen=True)
class Geometry:
    """One configuration of the core. Depths count 16-bit elements; all are powers of two."""

    memory_bits: int
    """Width of a memory word: 16 (SDR x16), 32 (SDR x32), 64 and more (DDR3, block RAM)."""
    memory_words: int
    """Words of memory fitted at most; what is found is reported by HELLO."""
    x_depth: int
    s_depth: int
    a_depth: int
    b_depth: int
    q_depth: int
    """Rows of the activation memory; a row feeds one memory word of weights."""

    @property
    def halfwords_per_word(self) -> int:
        """Vector elements in a memory word; addresses must be multiples of it."""
        return self.memory_bits // ELEMENT_BITS

    @property
    def lanes(self) -> int:
        """Multiply-free lanes: the weights in a memory word at 1.6 bits each."""
        return TRITS_PER_BYTE * self.memory_bits // 8

    def columns_per_word(self, five_trits: bool) -> int:
        """Weights in a memory word: 10 or 8 at 16 bits."""
        per_byte = TRITS_PER_BYTE if five_trits else DIGITS_PER_BYTE
        return per_byte * self.memory_bits // 8

    def depth(self, ram: Ram) -> int:
        """Elements that `ram` holds."""
        return {
            Ram.X: self.x_depth,
            Ram.S: self.s_depth,
            Ram.A: self.a_depth,
            Ram.B: self.b_depth,
        }[ram]

    def max_columns(self, five_trits: bool) -> int:
        """The longest matrix row that the activation memory can hold."""
        return self.q_depth * self.columns_per_word(five_trits)
