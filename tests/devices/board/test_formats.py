"""Fractions, gains and constants: what is stored is what the algebra asks for."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.devices.board import formats
from edge_sdk.devices.board.formats import Formats, Gains, floating
from edge_sdk.errors import UsageError


@given(st.floats(1e-12, 1e12))
def test_a_constant_keeps_sixteen_bits(value: float) -> None:
    mantissa, shift = floating(value)

    assert 2**15 <= mantissa < 2**16
    assert mantissa / 2.0**shift == pytest.approx(value, rel=2**-16)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8))
def test_gains_use_all_of_their_sixteen_bits(values: list[float]) -> None:
    array = np.array(values)
    gains = Gains.of(array)
    largest = np.abs(gains.mantissas.astype(int)).max()

    assert largest < 2**15
    if np.abs(array).max() > 1e-6:
        assert largest >= 2**14
    assert np.allclose(gains.mantissas / 2.0**gains.exponent, array, atol=2.0**-gains.exponent)


def test_gains_that_would_round_up_to_a_seventeenth_bit() -> None:
    gains = Gains.of(np.array([1 - 1e-9, -(1 - 1e-9)]))

    assert gains.mantissas.tolist() == [16384, -16384]
    assert gains.exponent == 14


@given(st.integers(1, 5000), st.integers(-3, 24))
def test_an_epsilon_term_is_what_the_algebra_says(columns: int, unit: int) -> None:
    alone = formats.single_epsilon(columns, unit)
    constant = (alone.extra & 1023) << (alone.extra >> 10)
    wanted = columns * 1e-6 * 4.0**unit

    assert alone.factor == 0
    assert constant == pytest.approx(wanted, rel=2**-10, abs=0.5)
    assert alone.extra >> 10 <= 48


@given(st.integers(1, 25), st.integers(8, 15))
def test_the_term_behind_an_outer_norm(unit: int, squares: int) -> None:
    term = formats.double_epsilon(100, 1e-6, unit, squares)
    wanted = 1e-6 * 4.0 ** (unit - squares)

    assert 0 <= term.shift <= 63
    assert term.factor / 2.0**term.shift == pytest.approx(wanted, rel=2**-15, abs=2.0**-63)


@given(st.floats(1e-9, 1e4), st.integers(1, 60000), st.sampled_from([0, 12]))
def test_no_outer_norm_can_overflow_the_root(weight: float, columns: int, more: int) -> None:
    """Even if every input were the largest number there is."""
    squares = 11
    fraction = squares + more
    gains = formats.outer_gains(np.full(columns, weight), fraction, squares)
    unit = fraction + gains.exponent - 15
    term = formats.double_epsilon(columns, 1e-6, unit, squares)
    gain = int(np.abs(gains.mantissas.astype(int)).max())
    own = columns * (32768 * gain + 2**14 >> 15) ** 2
    total = own + (columns * 2**30 * term.factor >> term.shift)

    assert total + ((term.extra & 1023) << (term.extra >> 10)) < 2**56


def test_a_matrix_scale_undoes_all_fractions() -> None:
    """The whole chain in floating point, on one row of ones."""
    rng = np.random.default_rng(1)
    n, step, fraction, out = 64, 0.03, 9, 11
    x, outer, inner = rng.standard_normal((3, n))
    a, g = Gains.of(outer), Gains.of(outer * inner)
    factor, shift = formats.matrix_scale(step, n, out, g, a)
    u = np.abs(x * 2**fraction * g.mantissas).max()
    root = sqrt(float(((x * 2**fraction * a.mantissas / 2**15) ** 2).sum()))
    total = 1000.0
    stored = total * u / root * factor / 2.0 ** (shift - 15)
    rho = 1 / sqrt(float(((x * outer) ** 2).mean()))
    wanted = total * step * float(np.abs(x * outer * inner).max()) * rho / 127

    assert stored == pytest.approx(wanted * 2**out, rel=1e-3)


@pytest.mark.parametrize(
    "bad", [{"residual": 16}, {"gates": 13}, {"state": 7}, {"glu": 7}, {"gates": 10, "state": 9}]
)
def test_formats_that_no_instruction_computes_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="fractional bits"):
        Formats(**bad)
