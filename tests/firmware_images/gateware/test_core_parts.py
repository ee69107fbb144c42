"""Parts of the core alone: products, the sigmoid, the list of the best, halfwords of memory."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from edge_sdk.devices.board.arithmetic import shift_round_scalar, sigmoid_q15
from edge_sdk.firmware_images.gateware.core.gearbox import Gearbox
from edge_sdk.firmware_images.gateware.core.product import DROPS, RESULT_DELAY, Product
from edge_sdk.firmware_images.gateware.core.sigmoid import DELAY, Sigmoid
from edge_sdk.firmware_images.gateware.core.topk import TopK
from tests.firmware_images.gateware.streams import receive, send


def simulate(dut: Any, *testbenches: Any, background: Any = None) -> None:
    sim = Simulator(dut)
    sim.add_clock(1e-8)
    if background is not None:
        sim.add_testbench(background, background=True)
    for testbench in testbenches:
        sim.add_testbench(testbench)
    sim.run()


def test_products_are_exact_or_say_that_they_do_not_fit() -> None:
    rng = random.Random(1)
    dut = Product()
    edges = {24: [-(1 << 23), (1 << 23) - 1], 32: [-(1 << 31), (1 << 31) - 1], 16: [-32768, 32767]}

    def number(bits: int) -> int:
        if rng.random() < 0.2:
            return rng.choice(edges[bits])
        size = 1 << rng.randrange(1, bits)
        return rng.randrange(-size, size)

    async def testbench(ctx: Any) -> None:
        for index in range(300):
            mixed, drop = index % 3 == 0, rng.randrange(4)
            a, b, c, d = number(24), number(32), number(16), number(16)
            if mixed:
                a = rng.randrange(1 << 17)
            for port, value in ((dut.a, a), (dut.b, b), (dut.c, c), (dut.d, d)):
                ctx.set(port, value)
            ctx.set(dut.mixed, mixed)
            ctx.set(dut.drop, drop)
            await ctx.tick().repeat(RESULT_DELAY)
            exact = shift_round_scalar(a * b + 2 * c * d * mixed, DROPS[drop])
            if ctx.get(dut.over):
                assert not -(1 << 15) <= exact < 1 << 15
                assert ctx.get(dut.negative) == (exact < 0)
            else:
                assert ctx.get(dut.result) == exact

    simulate(dut, testbench)


def test_the_sigmoid_is_the_contracts_and_clamps() -> None:
    dut = Sigmoid()
    numbers = [*range(-32768, 32768, 37), 32767, 32768, -32769, (1 << 19) - 1, -(1 << 19)]
    expected = sigmoid_q15(np.clip(np.array(numbers), -32768, 32767)).tolist()
    results = []

    async def testbench(ctx: Any) -> None:
        for number in [*numbers, *[0] * DELAY]:
            ctx.set(dut.number, number)
            await ctx.tick()
            results.append(ctx.get(dut.result))

    simulate(dut, testbench)
    assert results[DELAY - 1 : DELAY - 1 + len(expected)] == expected


@pytest.mark.parametrize("k", [0, 1, 2, 7, 64])
@pytest.mark.parametrize("spread", [1, 1 << 23])
def test_the_best_of_many_sums_are_kept(k: int, spread: int) -> None:
    """With a spread of one nearly all sums are equal, and the lowest rows stay."""
    rng = random.Random(k)
    sums = [rng.randrange(-spread, spread) for _ in range(90)]
    dut = TopK()

    async def testbench(ctx: Any) -> None:
        for _ in range(2):  # what the first left behind does not matter
            ctx.set(dut.k, k)
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            items = [{"row": row, "sum": value} for row, value in enumerate(sums)]
            await send(ctx, dut.sums, items, rng, 0.3)
            while not ctx.get(dut.idle):
                await ctx.tick()
            found = []
            for index in range(ctx.get(dut.count)):
                ctx.set(dut.index, index)
                await ctx.tick()
                found.append((ctx.get(dut.item.sum), ctx.get(dut.item.row)))
            best = sorted(range(len(sums)), key=lambda row: (-sums[row], row))[:k]
            assert sorted(found) == sorted((sums[row], row) for row in best)

    simulate(dut, testbench)


@pytest.mark.parametrize("bits", [16, 64])
def test_words_become_halfwords_and_what_is_left_of_the_last_is_dropped(bits: int) -> None:
    rng = random.Random(bits)
    dut = Gearbox(bits)
    parts = bits // 16
    bursts = [[rng.getrandbits(bits) for _ in range(rng.randrange(1, 5))] for _ in range(12)]

    async def memory(ctx: Any) -> None:
        for burst in bursts:
            await send(ctx, dut.input, burst, rng, 0.3)

    async def reader(ctx: Any) -> None:
        for burst in bursts:
            halfwords = [word >> 16 * i & 0xFFFF for word in burst for i in range(parts)]
            used = len(halfwords) - rng.randrange(parts)
            taken = await receive(ctx, dut.halfwords, used - 1, rng, 0.2)
            ctx.set(dut.finish, 1)
            taken += await receive(ctx, dut.halfwords, 1, rng, 0.2)
            ctx.set(dut.finish, 0)
            assert taken == halfwords[:used]

    simulate(dut, reader, background=memory)
