from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from edge_sdk.firmware_images.gateware.memory.queue import ReservedQueue
from tests.firmware_images.gateware.streams import receive


@pytest.mark.parametrize("delay", [1, 3, 9])
@pytest.mark.parametrize("pause", [0.0, 0.7])
def test_reserved_items_arrive_in_order_and_never_overflow(delay: int, pause: float) -> None:
    """A pipeline of `delay` clocks that cannot stop."""
    queue = ReservedQueue(8, depth=8)
    count = 200

    async def pipeline(ctx: Any) -> None:
        underway: list[int | None] = [None] * delay
        sent = 0
        while True:
            reserve = sent < count and ctx.get(queue.room)
            underway.append(sent if reserve else None)
            sent += bool(reserve)
            item = underway.pop(0)
            ctx.set(queue.reserve, reserve)
            ctx.set(queue.push, item is not None)
            ctx.set(queue.item, item or 0)
            await ctx.tick()

    async def consumer(ctx: Any) -> None:
        assert ctx.get(queue.vacant)
        items = await receive(ctx, queue.output, count, random.Random(delay), pause)
        assert items == [item & 0xFF for item in range(count)]
        await ctx.tick()
        assert ctx.get(queue.vacant)

    sim = Simulator(queue)
    sim.add_clock(1e-8)
    sim.add_testbench(pipeline, background=True)
    sim.add_testbench(consumer)
    sim.run()


def test_an_odd_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="power of two"):
        ReservedQueue(8, depth=12)
