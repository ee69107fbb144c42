"""Quantiser and packing: exact against their definitions, both directions, every padding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk import ternary

shapes = st.tuples(st.integers(1, 13), st.integers(1, 1100))


def random_trits(shape: tuple[int, int], seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(-1, 2, shape).astype(np.int8)


def test_quantise_matches_its_definition() -> None:
    weights = np.random.default_rng(1).normal(0, 0.02, (37, 300)).astype(np.float32)
    trits, step = ternary.quantise(weights)
    assert trits.dtype == np.int8
    assert step == np.float32(np.abs(weights).mean(dtype=np.float64))
    expected = np.clip(np.rint(weights / np.float32(step)), -1, 1)
    np.testing.assert_array_equal(trits, expected)


def test_comparing_with_half_a_step_is_dividing_and_rounding_to_even() -> None:
    """Every float32 within 3 units of step / 2 and of 3 step / 2, for many steps."""
    steps = np.random.default_rng(2).uniform(1e-5, 3, 500).astype(np.float32)
    for step in [*steps, np.float32(1), np.nextafter(np.float32(2), np.float32(0))]:
        near = []
        for centre in (step / np.float32(2), np.float32(1.5) * step):
            bits = centre.view(np.uint32) + np.arange(-3, 4)
            near.append(bits.astype(np.uint32).view(np.float32))
        weights = np.concatenate([*near, *(-values for values in near)])[None]
        expected = np.clip(np.rint(weights / step), -1, 1)
        np.testing.assert_array_equal(ternary.ternarise(weights, float(step)), expected)


def test_half_a_step_rounds_to_zero_and_tiny_weights_get_the_least_step() -> None:
    trits, step = ternary.quantise(np.array([[0.5, -0.5, 1.5, 1.5]], np.float32))
    assert step == 1.0
    assert trits.tolist() == [[0, 0, 1, 1]]
    trits, step = ternary.quantise(np.zeros((4, 4), np.float32))
    assert step == np.float32(1e-5)
    assert not trits.any()


def test_the_step_does_not_depend_on_the_slabs() -> None:
    weights = np.random.default_rng(3).lognormal(0, 4, (103, 257)).astype(np.float32)
    whole = ternary.absmean([weights])
    for rows in (1, 4, 50):
        assert ternary.absmean(weights[i : i + rows] for i in range(0, 103, rows)) == whole


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_no_number_gives_no_step(bad: float) -> None:
    weights = np.ones((4, 4), np.float32)
    weights[2, 1] = bad
    assert math.isnan(ternary.absmean([weights]))


def test_2_bit_bytes_lie_where_the_format_says() -> None:
    trits = random_trits((10, 600))
    planes = ternary.pack2(trits)
    assert planes.shape == (3, 3, 4, 64)
    flat = planes.reshape(-1)
    digits = np.ones((12, 768), int)
    digits[:10, :600] = trits + 1
    for row in range(12):
        for block in range(3):
            start = (row // 4 * 3 + block) * 256 + row % 4 * 64
            for j in (0, 1, 63):
                column = block * 256 + j
                four = digits[row, [column, column + 64, column + 128, column + 192]]
                assert flat[start + j] == sum(int(d) << 2 * i for i, d in enumerate(four))


def test_1_6_bit_codes_give_their_digits_by_carry() -> None:
    trits = random_trits((4, 320))
    codes = ternary.pack5(trits)
    assert codes.shape == (1, 256)
    digits = trits.reshape(4, 5, 64) + 1
    carry = codes.reshape(4, 64).astype(int)
    for d in range(5):
        following = 3 * carry % 256
        np.testing.assert_array_equal((3 * carry - following) // 256, digits[:, d])
        carry = following


@given(shape=shapes, seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_unpacking_gives_the_trits_back(shape: tuple[int, int], seed: int) -> None:
    trits = random_trits(shape, seed)
    for pack, unpack in ((ternary.pack2, ternary.unpack2), (ternary.pack5, ternary.unpack5)):
        back = unpack(pack(trits), shape)
        assert back.dtype == np.int8
        np.testing.assert_array_equal(back, trits)


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (20_001, 64), (3, 1240)])
def test_five_trits_a_byte_become_two_bits_slab_by_slab(shape: tuple[int, int]) -> None:
    trits = random_trits(shape)
    made = ternary.five_to_two(ternary.pack5(trits), shape)
    np.testing.assert_array_equal(made, ternary.pack2(trits))


@given(shape=shapes)
@settings(max_examples=60, deadline=None)
def test_padding_is_weight_zero(shape: tuple[int, int]) -> None:
    trits = np.ones(shape, np.int8)
    groups, blocks = -(-shape[0] // 4), -(-shape[1] // 256)
    padded = ternary.unpack2(ternary.pack2(trits), (4 * groups, 256 * blocks))
    assert padded.sum() == trits.size


@pytest.mark.parametrize(
    ("columns", "blocks", "rest"),
    [(1024, 3, 16), (2048, 6, 32), (2560, 8, 0), (2816, 8, 64), (576, 1, 64), (577, 2, 0)],
)
def test_1_6_bit_rows_are_cut_where_it_is_cheapest(columns: int, blocks: int, rest: int) -> None:
    assert ternary.pack5_split(columns) == (blocks, rest)
    assert ternary.pack5(random_trits((4, columns))).shape == (1, 4 * (64 * blocks + rest))


def test_bytes_that_are_no_weights_are_refused() -> None:
    planes = ternary.pack2(random_trits((4, 256)))
    planes[0, 0, 2, 5] = 0b11
    with pytest.raises(ValueError, match="digit 3"):
        ternary.unpack2(planes, (4, 256))
    codes = ternary.pack5(random_trits((4, 320)))
    used = {(256 * value + 242) // 243 for value in range(243)}
    codes[0, 0] = next(code for code in range(256) if code not in used)
    with pytest.raises(ValueError, match="no code"):
        ternary.unpack5(codes, (4, 320))
    with pytest.raises(ValueError, match="expected"):
        ternary.unpack2(planes, (8, 256))
    with pytest.raises(ValueError, match="expected"):
        ternary.unpack5(codes, (8, 320))
