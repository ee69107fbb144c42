"""Rows of trits become bytes and trits again, whatever their length and the memory's width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.devices.board.ternary_rows import decode_rows, encode_rows, row_bytes
from edge_sdk.firmware_images.contract.geometry import Geometry


def geometry(bits: int) -> Geometry:
    return Geometry(bits, 1, 1, 1, 1, 1, 1)


@given(
    st.integers(0, 2**32),
    st.integers(1, 5),
    st.integers(1, 70),
    st.sampled_from([16, 32, 64, 256]),
    st.booleans(),
)
def test_rows_survive(seed: int, rows: int, columns: int, bits: int, five: bool) -> None:
    trits = np.random.default_rng(seed).integers(-1, 2, (rows, columns)).astype(np.int8)
    data = encode_rows(trits, geometry(bits), five)

    assert data.shape == (rows, row_bytes(columns, geometry(bits), five))
    assert data.shape[1] % (bits // 8) == 0
    assert np.array_equal(decode_rows(data, columns, five), trits)
    per_byte = 5 if five else 4
    assert not decode_rows(data, data.shape[1] * per_byte, five)[:, columns:].any()


def test_a_row_takes_whole_memory_words() -> None:
    """512 columns: 51.2 words of ten or 64 of eight."""
    assert row_bytes(512, geometry(16), True) == 104
    assert row_bytes(512, geometry(16), False) == 128


def test_the_codes_are_those_of_the_contract() -> None:
    trits = np.array([[1, 0, -1, 1, -1, 0, 0, 0, 0, 0]], np.int8)
    value = 2 * 81 + 1 * 27 + 0 * 9 + 2 * 3 + 0
    five = encode_rows(trits, geometry(16), True)
    four = encode_rows(trits[:, :4], geometry(16), False)

    assert five[0].tolist() == [-(-value * 256 // 243), -(-121 * 256 // 243)]
    assert four[0].tolist() == [2 | 1 << 2 | 0 << 4 | 2 << 6, 0b01010101]


@pytest.mark.parametrize("five", [True, False])
def test_every_byte_means_something(five: bool) -> None:
    data = np.arange(256, dtype=np.uint8)[None]
    decoded = decode_rows(data, 256 * (5 if five else 4), five)

    assert set(np.unique(decoded).tolist()) == ({-1, 0, 1} if five else {-1, 0, 1, 2})
