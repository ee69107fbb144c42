"""Ternary rows as a board's memory holds them: trits to bytes, and any bytes to trits.

It knows the two byte codes and the padding of a row to whole memory words; it does not know
addresses or models. The packed file's planes are another layout (`edge_sdk.ternary`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.firmware_images.contract.geometry import DIGITS_PER_BYTE, TRITS_PER_BYTE, Geometry

Trits = npt.NDArray[np.int8]
Bytes = npt.NDArray[np.uint8]


def row_bytes(columns: int, geometry: Geometry, five_trits: bool) -> int:
    """Bytes of one row of a matrix: whole memory words."""
    words = -(-columns // geometry.columns_per_word(five_trits))
    return words * geometry.memory_bits // 8


def encode_rows(trits: Trits, geometry: Geometry, five_trits: bool) -> Bytes:
    """Trits int8 [rows, columns] as bytes uint8 [rows, row_bytes]; padding is weight 0."""
    rows, columns = trits.shape
    width = row_bytes(columns, geometry, five_trits)
    per_byte = TRITS_PER_BYTE if five_trits else DIGITS_PER_BYTE
    digits = np.ones((rows, width * per_byte), np.uint8)
    digits[:, :columns] += trits.view(np.uint8)
    if five_trits:
        # Digits are taken out again as carries of a multiplication by three.
        value = digits[:, 0::5].astype(np.uint16)
        for place in range(1, 5):
            value = value * np.uint16(3) + digits[:, place::5]
        return _CODES[value]
    packed: Bytes = digits[:, 0::4].copy()
    for place in range(1, 4):
        packed |= digits[:, place::4] << np.uint8(2 * place)
    return packed


def decode_rows(data: Bytes, columns: int, five_trits: bool) -> Trits:
    """Trits int8 [rows, columns] of bytes uint8 [rows, n]; every byte means something.

    A 2-bit digit 3 is weight 2, as in the array.
    """
    table = _FIVE if five_trits else _FOUR
    return table[data].reshape(len(data), -1)[:, :columns]


def _decode_table(five_trits: bool) -> Trits:
    """int8 [256, trits a byte]."""
    byte = np.arange(256)
    if not five_trits:
        return np.stack([(byte >> 2 * place & 3) - 1 for place in range(4)], 1).astype(np.int8)
    digits = []
    for _ in range(5):
        digits.append((3 * byte >> 8) - 1)
        byte = 3 * byte & 255
    return np.stack(digits, 1).astype(np.int8)


_FIVE, _FOUR = _decode_table(True), _decode_table(False)
_CODES = ((256 * np.arange(243) + 242) // 243).astype(np.uint8)
"""The byte of each value of five digits."""
