"""The few integer operations that docs/accelerator-isa.md is written in, on int64 arrays.

It knows rounding, saturation and the sigmoid; it does not know instructions, RAMs or memory.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.firmware_images.contract.tables import sigmoid_table

Ints = npt.NDArray[np.int64]


def shift_round(v: Ints, s: int) -> Ints:
    """`v >>r s` of the contract: halves round up; a negative `s` shifts left."""
    if s <= 0:
        return v << -s
    return (v + (1 << (s - 1))) >> s


def shift_round_scalar(v: int, s: int) -> int:
    """`v >>r s` for one number."""
    return v << -s if s <= 0 else (v + (1 << (s - 1))) >> s


def clamp16(v: Ints) -> Ints:
    """`v` clamped to int16."""
    return np.minimum(np.maximum(v, -32768), 32767)


def sigmoid_q15(p: Ints) -> Ints:
    """The sigmoid in Q15 of int16 numbers in Q3.12."""
    return _SIGMOID[p + 32768]


def _tabulate() -> Ints:
    """The interpolated sigmoid at all 65536 arguments."""
    table = np.array(sigmoid_table(), np.int64)
    y = np.arange(65536, dtype=np.int64)
    low, high = table[y >> 8], table[(y >> 8) + 1]
    values: Ints = low + (((high - low) * (y & 255) + 128) >> 8)
    return values


_SIGMOID = _tabulate()
