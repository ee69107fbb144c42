"""Both ends of a stream for simulations, with pauses."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any


async def send(
    ctx: Any, port: Any, items: Iterable[Any], rng: random.Random, pause: float = 0.0
) -> None:
    """Offers each item until it has moved; before each, waits with probability `pause` a cycle."""
    for item in items:
        while rng.random() < pause:
            await ctx.tick()
        ctx.set(port.payload, item)
        ctx.set(port.valid, 1)
        await ctx.tick().until(port.ready)
        ctx.set(port.valid, 0)


async def receive(
    ctx: Any, port: Any, count: int, rng: random.Random, pause: float = 0.0
) -> list[Any]:
    """Takes `count` items."""
    items: list[Any] = []
    while len(items) < count:
        while rng.random() < pause:
            await ctx.tick()
        ctx.set(port.ready, 1)
        (payload,) = await ctx.tick().sample(port.payload).until(port.valid)
        ctx.set(port.ready, 0)
        items.append(payload)
    return items
