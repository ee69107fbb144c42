"""The sigmoid table of the integer contract; gateware and integer model hold the same numbers.

It knows one function; it does not know who interpolates it.
"""

from __future__ import annotations

from math import exp

SIGMOID_INTERVALS = 256
"""Intervals over [-8, 8), a sixteenth each."""


def sigmoid_table() -> list[int]:
    """257 values in Q15: round(32768 * sigmoid(j / 16 - 8)), halves never occur."""
    return [round(32768 / (1 + exp(8 - j / 16))) for j in range(SIGMOID_INTERVALS + 1)]
