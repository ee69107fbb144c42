from __future__ import annotations

from typing import Any

import pytest
from amaranth.sim import Simulator

from edge_sdk.firmware_images.gateware.memory.block import BlockMemory
from tests.firmware_images.gateware.memory_user import MemoryUser


def simulate(memory: BlockMemory, user: Any, *background: Any) -> None:
    sim = Simulator(memory)
    sim.add_clock(1e-8)
    sim.add_testbench(user)
    for testbench in background:
        sim.add_testbench(testbench, background=True)
    sim.run()


@pytest.mark.parametrize("bits", [16, 64])
@pytest.mark.parametrize("words", [64, 100])
def test_it_keeps_what_is_written(bits: int, words: int) -> None:
    memory = BlockMemory(bits, words, [7, 8, 9])
    user = MemoryUser(memory.port)

    async def core(ctx: Any) -> None:
        assert ctx.get(memory.port.ready)
        assert ctx.get(memory.port.found) == words
        model = [7, 8, 9] + [0] * (words - 3)
        assert await user.read(ctx, 0, words) == model
        await user.mix(ctx, model, bits, steps=60, most=words)

    simulate(memory, core)


def test_a_burst_gives_a_word_a_cycle() -> None:
    memory = BlockMemory(32, 128, range(128))
    user = MemoryUser(memory.port)
    taken: list[int] = []

    async def watch(ctx: Any) -> None:
        cycle = 0
        async for _, _, valid, ready in ctx.tick().sample(
            memory.port.read.valid, memory.port.read.ready
        ):
            cycle += 1
            if valid and ready:
                taken.append(cycle)

    async def read(ctx: Any) -> None:
        assert await user.read(ctx, 0, 128) == list(range(128))

    simulate(memory, read, watch)
    assert taken[-1] - taken[0] == 127


def test_a_request_waits_for_the_last_word_of_the_one_before() -> None:
    memory = BlockMemory(32, 16)
    user = MemoryUser(memory.port)

    async def core(ctx: Any) -> None:
        await user.check_that_requests_wait(ctx)

    simulate(memory, core)


def test_contents_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="3 words of contents do not fit 2 words"):
        BlockMemory(16, 2, [1, 2, 3])
