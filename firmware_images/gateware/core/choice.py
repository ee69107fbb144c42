"""A choice by number that becomes a tree of multiplexers, where an array becomes comparisons.

It knows Amaranth values; it does not know what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Mux, Value, ValueLike


def choose(select: ValueLike, values: Sequence[ValueLike]) -> Value:
    """values[select]; beyond the last one any of them."""
    select = Value.cast(select)
    level = [Value.cast(value) for value in values]
    for bit in select:
        if len(level) == 1:
            break
        pairs = [level[index : index + 2] for index in range(0, len(level), 2)]
        level = [Mux(bit, pair[-1], pair[0]) if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]
