"""Ternary weights: quantise a matrix to {-1, 0, 1} and pack the trits into bytes, and back.

It knows NumPy arrays and the two byte layouts; it does not know files, tensor names or devices.

Both layouts store the digit w + 1, in groups of four rows whose 64-byte blocks interleave, so that
a kernel reads one forward stream and loads its input once per four rows. Rows are padded to a
multiple of four and columns to a whole block, always with digit 1 (weight 0).

`ternary2`, 2 bits a weight: a block is 64 bytes = 256 columns; byte j holds the columns j, 64+j,
128+j and 192+j in bits 0-1, 2-3, 4-5 and 6-7. Block b of row r starts at byte
((r // 4) * blocks + b) * 256 + (r % 4) * 64.

`ternary1.6`, five trits a byte: a block is 64 bytes = 320 columns; byte j packs the digits g of the
columns j, 64+j, ..., 256+j as v = sum(g[d] * 3**(4-d)), stored as q = ceil(256 * v / 243): the next
digit is the carry of 3 * q, so a kernel needs no division. The last columns of a row, if 256 or
fewer, are stored 2 bits each: p = 16, 32, 48 or 64 bytes, byte j with columns j, p+j, 2p+j, 3p+j.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

import numpy as np
import numpy.typing as npt

Trits = npt.NDArray[np.int8]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]

TWO = "ternary2"
FIVE = "ternary1.6"

MIN_STEP = 1e-5
ROWS = 4
BLOCK = 64
COLUMNS2 = 4 * BLOCK
COLUMNS5 = 5 * BLOCK
_SLAB = 1 << 20
"""Weights that `five_to_two` unpacks at a time."""


def quantise(weights: Floats) -> tuple[Trits, float]:
    """Absmean quantisation of one matrix (arXiv 2406.02528, Algorithm 1, as released).

    weights: float [out, in]. Returns (trits int8 [out, in], step): step = max(mean|W|, 1e-5) and
    trit = clamp(round(W / step), -1, 1) with halves to even. The mean is accumulated in float64.
    """
    step = absmean([weights])
    return ternarise(weights, step), step


def absmean(slabs: Iterable[Floats]) -> float:
    """The step of a matrix given as slabs of whole rows, float [rows, in]; NaN if a weight is.

    Rows are summed one by one and exactly, so the result does not depend on how they are cut into
    slabs. It is rounded to float32, in which the weights are compared and the file stores it.
    """
    rows: list[float] = []
    count = 0
    for slab in slabs:
        # Casting first: a casting reduction sums in chunks that depend on the slab's height.
        sums = np.abs(slab).astype(np.float64).sum(axis=1)
        if not np.isfinite(sums).all():
            return math.nan
        rows.extend(sums.tolist())
        count += slab.size
    return float(np.float32(max(math.fsum(rows) / max(count, 1), MIN_STEP)))


def ternarise(weights: Floats, step: float) -> Trits:
    """The trits, int8 [out, in], of float weights [out, in] for a given step (a float32 value)."""
    # |W / step| rounds to 1 or more, halves to even, exactly where |W| > step / 2: halving is exact
    # and the next float above it divides to more than 0.5.
    half = np.float32(step / 2)
    above: npt.NDArray[np.bool_] = weights > half
    below: npt.NDArray[np.bool_] = weights < -half
    return above.view(np.int8) - below.view(np.int8)


def planes2_shape(shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """The shape [row groups, blocks, 4, 64] of the `ternary2` bytes of a matrix [out, in]."""
    return -(-shape[0] // ROWS), -(-shape[1] // COLUMNS2), ROWS, BLOCK


def pack2(trits: Trits) -> Bytes:
    """Pack trits int8 [out, in] into `ternary2` bytes, uint8 [ceil(out/4), ceil(in/256), 4, 64]."""
    groups, blocks, _, _ = planes2_shape((trits.shape[0], trits.shape[1]))
    digits = _digits(trits, groups * ROWS, blocks * COLUMNS2)
    planes = _pack_planes(digits.reshape(groups, ROWS, blocks, 4, BLOCK))
    return np.ascontiguousarray(planes.transpose(0, 2, 1, 3))


def unpack2(planes: Bytes, shape: tuple[int, int]) -> Trits:
    """The inverse of `pack2`: int8 [out, in] from uint8 [ceil(out/4), ceil(in/256), 4, 64].

    Raises ValueError where `planes` has another shape or a byte holds the unused digit 3.
    """
    if planes.shape != planes2_shape(shape):
        raise ValueError(f"planes of shape {planes.shape}; expected {planes2_shape(shape)}")
    groups, blocks, _, _ = planes.shape
    digits = _unpack_planes(planes.transpose(0, 2, 1, 3))
    return _trits(digits.reshape(groups * ROWS, blocks * COLUMNS2), shape)


def pack5_split(columns: int) -> tuple[int, int]:
    """How `ternary1.6` cuts a row: (blocks of 320 columns, bytes a row of the 2-bit remainder)."""
    blocks, rest = divmod(columns, COLUMNS5)
    # More than 256 columns are dearer at 2 bits than one more padded block.
    return (blocks + 1, 0) if rest > COLUMNS2 else (blocks, 16 * -(-rest // 64))


def planes5_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """The shape [row groups, bytes a group] of the `ternary1.6` bytes of a matrix [out, in]."""
    blocks, rest = pack5_split(shape[1])
    return -(-shape[0] // ROWS), ROWS * (blocks * BLOCK + rest)


def pack5(trits: Trits) -> Bytes:
    """Pack trits int8 [out, in] into `ternary1.6` bytes, uint8 [ceil(out/4), bytes a row group].

    A row group is its 320-column blocks, [blocks, 4, 64], then the remainder of its rows, [4, p].
    """
    groups = -(-trits.shape[0] // ROWS)
    blocks, rest = pack5_split(trits.shape[1])
    full = blocks * COLUMNS5
    digits = _digits(trits, groups * ROWS, full + 4 * rest)
    five = digits[:, :full].reshape(groups, ROWS, blocks, 5, BLOCK).astype(np.uint32)
    value = np.zeros((groups, ROWS, blocks, BLOCK), np.uint32)
    for d in range(5):
        value = 3 * value + five[:, :, :, d]
    codes = ((256 * value + 242) // 243).astype(np.uint8)
    tail = _pack_planes(digits[:, full:].reshape(groups, ROWS, 4, rest))
    head = codes.transpose(0, 2, 1, 3).reshape(groups, blocks * ROWS * BLOCK)
    return np.concatenate([head, tail.reshape(groups, ROWS * rest)], axis=1)


def unpack5(planes: Bytes, shape: tuple[int, int]) -> Trits:
    """The inverse of `pack5`: int8 [out, in] from uint8 [ceil(out/4), bytes a row group].

    Raises ValueError where `planes` has another shape or a byte is no code of five trits.
    """
    if planes.shape != planes5_shape(shape):
        raise ValueError(f"planes of shape {planes.shape}; expected {planes5_shape(shape)}")
    groups = planes.shape[0]
    blocks, rest = pack5_split(shape[1])
    head = blocks * ROWS * BLOCK
    codes = planes[:, :head].reshape(groups, blocks, ROWS, BLOCK).transpose(0, 2, 1, 3)
    # The axes are ordered before the digits are looked up: there are five times as many.
    five = np.stack([table[codes] for table in _digit_tables()], axis=3)
    if five.max(initial=0) > 2:
        raise ValueError("a byte is no code of five trits")
    tail = _unpack_planes(planes[:, head:].reshape(groups, ROWS, rest))
    rows = groups * ROWS
    digits = [five.reshape(rows, blocks * COLUMNS5), tail.reshape(rows, 4 * rest)]
    return _trits(np.concatenate(digits, axis=1), shape)


def five_to_two(planes: Bytes, shape: tuple[int, int]) -> Bytes:
    """`ternary1.6` bytes as `ternary2` bytes, a slab of rows at a time: memory for one slab more.

    Raises ValueError as `unpack5` does.
    """
    out = np.empty(planes2_shape(shape), np.uint8)
    height = max(_SLAB // shape[1] // ROWS, 1)
    for start in range(0, len(out), height):
        part = planes[start : start + height]
        out[start : start + height] = pack2(unpack5(part, (ROWS * len(part), shape[1])))
    return out


@cache
def _digit_tables() -> Bytes:
    """The five digits of each code, uint8 [5, 256]; 3 where the byte is no code."""
    codes = np.arange(256)
    values = codes * 243 // 256
    tables = np.stack([values // 3 ** (4 - d) % 3 for d in range(5)]).astype(np.uint8)
    tables[:, (256 * values + 242) // 243 != codes] = 3
    return tables


def _digits(trits: Trits, rows: int, columns: int) -> Bytes:
    """Digits w + 1, uint8 [rows, columns], padded with digit 1."""
    digits = np.ones((rows, columns), np.uint8)
    digits[: trits.shape[0], : trits.shape[1]] += trits.view(np.uint8)
    return digits


def _trits(digits: Bytes, shape: tuple[int, int]) -> Trits:
    if digits.max(initial=0) > 2:
        raise ValueError("a byte holds the digit 3; only 0, 1 and 2 are weights")
    return digits[: shape[0], : shape[1]].view(np.int8) - np.int8(1)


def _pack_planes(digits: Bytes) -> Bytes:
    """Digits [..., 4, n] to bytes [..., n]: the next-to-last axis is the position in the byte."""
    packed: Bytes = digits[..., 0, :].copy()
    for place in (1, 2, 3):
        packed |= digits[..., place, :] << np.uint8(2 * place)
    return packed


def _unpack_planes(planes: Bytes) -> Bytes:
    """Bytes [..., n] to digits [..., 4, n]."""
    fields: list[Bytes] = [planes >> np.uint8(shift) & np.uint8(3) for shift in (0, 2, 4, 6)]
    return np.stack(fields, axis=-2)
