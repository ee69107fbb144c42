"""A sum with a carry in that costs one carry chain, where synthesis would build two.

It knows Amaranth values; it does not know what is added.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Value, ValueLike


def add_carry(a: ValueLike, b: ValueLike, carry: ValueLike) -> Value:
    """a + b + carry, one bit wider than the wider of the two; signed if either of them is."""
    a, b = Value.cast(a), Value.cast(b)
    bits = max(len(a), len(b)) + 1
    left, right = Cat(1, _wide(a, bits)), Cat(carry, _wide(b, bits))
    total = (left + right)[1 : bits + 1]
    signed = a.shape().signed or b.shape().signed
    return total.as_signed() if signed else total


def _wide(value: Value, bits: int) -> Value:
    """`value` with its sign, or zeros, up to `bits`."""
    fill = value[-1] if value.shape().signed else 0
    return Cat(value, *(fill for _ in range(bits - len(value))))
