"""How a model's real numbers become the accelerator's integers: fractions, gains and constants.

It knows the algebra below; it does not know instructions' encodings, memory or files.

BitLinear with both norms (A = outer norm weight, N = inner one, k inputs x, step of the trits):

    out = sum(q * trit) * step * max|u| * rho / 127,    u = x * A * N,    q = round(127 u / max|u|)
    rho = 1 / sqrt(mean (x A)^2 + eps (mean x^2 + eps'))

so neither root enters q. In integers, with F fractional bits in x, a in A's mantissas and g in
those of G = A * N, NRM finds R * 2^(s/2) = sqrt(k) / rho * 2^(F + a - 15) and QNT finds
mn * 2^(e - 15) = max|u| * 2^(F + g). F is the same in both, so it cancels, and so does the block
exponent of a block-normalised product. What is left for TMV to multiply with is

    C * 2^-c = step * sqrt(k) / 127 * 2^(F_out - g + a - 15)    and    shift = c + 15,

because D / 2^16 = mn / R, M = D * C / 2^16 and out = sum * M * 2^-(shift - e + s/2). Without an
outer norm there is no A and no shift by 15: F_out - g stands in the place of F_out - g + a - 15.

The epsilon terms in NRM's unit, 2^(2T) with T = F + a - 15 (or T = F): the one that follows an
outer norm is sum(x^2) * eps * 2^(2T - 2F), where x has F fractional bits of its own; with KEEP it
is the sum over the first factor of the product, and F that factor's. The constant is
k * eps * eps' * 2^(2T) behind an outer norm and k * eps * 2^(2T) without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp, sqrt

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import ModelRejected, UsageError
from edge_sdk.firmware_images.contract.isa import EPSILON_MANTISSA_BITS

INNER_EPS = 1e-6
"""The released kernels normalise inside BitLinear with this, whatever the module declares."""
GAIN_SHIFT = 15
"""NRM's shift after the multiplication with a gain."""
SIGMOID_FRACTION = 12
MAX_ROOT_BITS = 56
"""NRM's N must stay below 2 to this."""


@dataclass(frozen=True)
class Formats:
    """Fractional bits of the int16 vectors of a model; what is left of 15 holds whole numbers.

    The defaults are what trained models were seen to need (docs/integer-contract.md): too little
    headroom costs far more than too little resolution.
    """

    residual: int = 6
    gates: int = 9
    """i, f and g."""
    state: int = 9
    glu: int = 9
    """Both halves of the channel mixer."""

    def __post_init__(self) -> None:
        lowest = SIGMOID_FRACTION - 4
        good = (
            0 <= self.residual <= 15
            and all(lowest <= f <= SIGMOID_FRACTION for f in (self.gates, self.state, self.glu))
            and self.gates <= self.state
        )
        if not good:
            raise UsageError(
                f"{self} cannot be computed; expected a residual of 0 to 15 fractional bits, the "
                f"rest of {lowest} to {SIGMOID_FRACTION}, the state of no fewer than the gates.",
                hint="leave them to Formats(), or to calibration on text.",
            )


@dataclass(frozen=True)
class Gains:
    """A vector of positive or negative factors: mantissas / 2**exponent."""

    mantissas: npt.NDArray[np.int16]
    exponent: int

    @classmethod
    def of(cls, values: npt.NDArray[np.float64], most: int = 40) -> Gains:
        """Gains with the largest mantissa in [2^14, 2^15), or less if `most` is the exponent."""
        largest = float(np.abs(values).max())
        exponent = min(15 - frexp(largest)[1], most) if largest else 0
        if round(largest * 2.0**exponent) == 1 << 15:
            exponent -= 1
        return cls(np.rint(values * 2.0**exponent).astype(np.int16), exponent)


@dataclass(frozen=True)
class Epsilon:
    """NRM's fields: `factor`, `shift` and `extra`."""

    factor: int = 0
    shift: int = 0
    extra: int = 0


def floating(value: float) -> tuple[int, int]:
    """(mantissa in [2^15, 2^16), shift) with value = mantissa / 2**shift; value > 0."""
    fraction, exponent = frexp(value)
    mantissa = round(fraction * (1 << 16))
    if mantissa == 1 << 16:
        mantissa, exponent = mantissa >> 1, exponent + 1
    return mantissa, 16 - exponent


def matrix_scale(
    step: float, columns: int, out: int, gain: Gains, outer: Gains | None
) -> tuple[int, int]:
    """TMV's (factor, shift): `out` is the fraction of what it stores; see the module's algebra."""
    exponent = out - gain.exponent
    if outer is not None:
        exponent += outer.exponent - GAIN_SHIFT
    mantissa, shift = floating(step * sqrt(columns) / 127 * 2.0**exponent)
    return mantissa, shift + 15


def double_epsilon(columns: int, eps: float, unit: int, squares: int) -> Epsilon:
    """The terms behind an outer norm. unit: T; squares: fraction of what sum(x^2) is taken of."""
    factor, shift = floating(INNER_EPS * 2.0 ** (2 * (unit - squares)))
    if shift > 63:
        factor, shift = factor >> min(shift - 63, 16), 63
    constant = _constant(columns * INNER_EPS * eps * 2.0 ** (2 * unit))
    return Epsilon(factor, shift, constant) if factor else Epsilon(extra=constant)


def single_epsilon(columns: int, unit: int) -> Epsilon:
    """The term of a norm that stands alone."""
    return Epsilon(extra=_constant(columns * INNER_EPS * 2.0 ** (2 * unit)))


def outer_gains(values: npt.NDArray[np.float64], fraction: int, squares: int) -> Gains:
    """Gains of an outer norm, as fine as NRM's 56 bits allow whatever it is given.

    fraction: of the input as NRM reads it, before blocks; squares: as in `double_epsilon`.
    """
    columns = len(values)
    for most in range(40, -64, -1):
        gains = Gains.of(values, most)
        share = INNER_EPS * 4.0 ** (fraction + gains.exponent - GAIN_SHIFT - squares)
        # NRM's factor has 16 bits; one of N's is left for rounding and the constant.
        if share < 1 << 15 and columns * 2.0**30 * (1 + share) < 2.0 ** (MAX_ROOT_BITS - 1):
            return gains
    raise ModelRejected(
        f"{columns} inputs of a norm do not fit the accelerator's 56 bits.",
        hint="run this model on 'cpu'.",
    )


def _constant(value: float) -> int:
    """NRM's `extra` for a constant term."""
    places = max(frexp(value)[1] - EPSILON_MANTISSA_BITS, 0)
    mantissa = round(value / 2.0**places)
    if mantissa == 1 << EPSILON_MANTISSA_BITS:
        mantissa, places = mantissa >> 1, places + 1
    return mantissa | places << EPSILON_MANTISSA_BITS
