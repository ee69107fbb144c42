from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from edge_sdk.firmware_images.gateware.array.array import TernaryArray
from tests.firmware_images.gateware.streams import receive, send

DEPTH = 8
FIVE = [True, False]


def columns_per_word(bits: int, five: bool) -> int:
    return (5 if five else 4) * bits // 8


def encode(digits: list[int], five: bool) -> int:
    """One byte of five trits (most significant first) or four 2-bit digits (lowest first)."""
    if five:
        value = 0
        for digit in digits:
            value = value * 3 + digit
        return -(-value * 256 // 243)
    return sum(digit << 2 * i for i, digit in enumerate(digits))


def words_of(matrix: np.ndarray, bits: int, five: bool) -> list[int]:
    """The memory words of `matrix` ([rows, n] of weights).

    The padding of a row is anything: the activations there are zeros.
    """
    rng = random.Random(len(matrix))
    per_byte = 5 if five else 4
    words = []
    for row in matrix:
        digits = [int(weight) + 1 for weight in row]
        padding = -len(digits) % columns_per_word(bits, five)
        digits += [rng.randrange(3) for _ in range(padding)]
        data = bytes(
            encode(digits[i : i + per_byte], five) for i in range(0, len(digits), per_byte)
        )
        words += [
            int.from_bytes(data[i : i + bits // 8], "little")
            for i in range(0, len(data), bits // 8)
        ]
    return words


class Bench:
    """One array, used as the core does."""

    def __init__(self, bits: int, seed: int = 1) -> None:
        self.bits = bits
        self.dut = TernaryArray(bits, DEPTH)
        self.port = self.dut.port
        self.rng = random.Random(seed)
        self.sim = Simulator(self.dut)
        self.sim.add_clock(1e-8)

    def run(self, *testbenches: Any) -> None:
        for testbench in testbenches:
            self.sim.add_testbench(testbench)
        self.sim.run_until(1e-2)

    async def load(self, ctx: Any, values: np.ndarray, five: bool, pause: float = 0.0) -> None:
        ctx.set(self.port.five, five)
        items = [
            {"value": int(value), "last": i == len(values) - 1} for i, value in enumerate(values)
        ]
        await send(ctx, self.port.activations, items, self.rng, pause)

    async def start(self, ctx: Any, rows: int, columns: int) -> None:
        ctx.set(self.port.rows, rows)
        ctx.set(self.port.columns, columns)
        ctx.set(self.port.start, 1)
        await ctx.tick()
        ctx.set(self.port.start, 0)
        assert ctx.get(self.port.busy)


def cases(bits: int, five: bool, rng: np.random.Generator) -> list[tuple[int, int]]:
    """(rows, columns): the corners, and some of any size."""
    most = DEPTH * columns_per_word(bits, five)
    corners = [(1, 1), (1, most), (5, most), (4, columns_per_word(bits, five)), (3, most - 1)]
    sizes = [(int(rng.integers(1, 9)), int(rng.integers(1, most + 1))) for _ in range(6)]
    return [*corners, (40, 1), *sizes]


@pytest.mark.parametrize("five", FIVE)
@pytest.mark.parametrize(
    ("bits", "pauses"),
    [
        (16, (0.0, 0.0)),
        (16, (0.6, 0.0)),
        (16, (0.0, 0.7)),
        (16, (0.4, 0.4)),
        (32, (0.4, 0.4)),
        (64, (0.1, 0.6)),
    ],
)
def test_sums_are_exact(bits: int, five: bool, pauses: tuple[float, float]) -> None:
    bench = Bench(bits)
    numbers = np.random.default_rng(bits + five)
    jobs = []
    for rows, columns in cases(bits, five, numbers):
        # A digit 3 is a weight of 2, which only 2-bit bytes can hold.
        matrix = numbers.integers(-1, 2 if five else 3, (rows, columns))
        activations = numbers.integers(-127, 128, columns)
        if rows == 5:
            matrix[:] = numbers.choice([-1, 1], (rows, columns))
            activations = 127 * matrix[0]
        jobs.append((matrix, activations))

    async def words(ctx: Any) -> None:
        for matrix, _ in jobs:
            await send(ctx, bench.port.words, words_of(matrix, bits, five), bench.rng, pauses[0])

    async def core(ctx: Any) -> None:
        for matrix, activations in jobs:
            rows, columns = matrix.shape
            await bench.load(ctx, activations, five, pauses[0])
            await bench.start(ctx, rows, columns)
            sums = await receive(ctx, bench.port.sums, rows, bench.rng, pauses[1])
            assert not ctx.get(bench.port.busy)
            assert [item["row"] for item in sums] == list(range(rows))
            assert [item["sum"] for item in sums] == (matrix @ activations).tolist()
        done.append(True)

    done: list[bool] = []
    bench.sim.add_testbench(words, background=True)
    bench.sim.add_testbench(core)
    bench.sim.run()
    assert done


@pytest.mark.parametrize("five", FIVE)
def test_every_byte_decodes_as_documented(five: bool) -> None:
    bench = Bench(16)
    unit = columns_per_word(16, five)
    rows = 256

    def weights(byte: int) -> list[int]:
        digits = []
        rest = byte
        for i in range(unit // 2):
            digits.append((3 * rest) >> 8 if five else (byte >> 2 * i) & 3)
            rest = (3 * rest) & 255
        return [digit - 1 for digit in digits]

    activations = np.array([3**i for i in range(4)] + [-100, 1, 11, -7, 90, 50][: unit - 4])
    order = list(range(256))
    expected = [np.array(weights(b) + weights(255 - b)) @ activations for b in order]

    async def words(ctx: Any) -> None:
        await send(ctx, bench.port.words, [b | (255 - b) << 8 for b in order], bench.rng)

    async def core(ctx: Any) -> None:
        await bench.load(ctx, activations, five)
        await bench.start(ctx, rows, unit)
        sums = await receive(ctx, bench.port.sums, rows, bench.rng)
        assert [item["sum"] for item in sums] == expected

    bench.sim.add_testbench(words, background=True)
    bench.sim.add_testbench(core)
    bench.sim.run()


@pytest.mark.parametrize("columns", [1, 10, 11, 75])
def test_a_word_is_taken_every_cycle(columns: int) -> None:
    """Also across rows, and with rows of one word."""
    bench = Bench(16)
    rows = 30
    matrix = np.ones((rows, columns), int)
    words = words_of(matrix, 16, five=True)
    counted = {"cycles": 0, "words": 0}

    async def count(ctx: Any) -> None:
        async for _, _, busy, valid, ready in ctx.tick().sample(
            bench.port.busy, bench.port.words.valid, bench.port.words.ready
        ):
            counted["cycles"] += busy
            counted["words"] += valid & ready

    async def core(ctx: Any) -> None:
        await bench.load(ctx, np.ones(columns, int), five=True)
        await bench.start(ctx, rows, columns)
        await receive(ctx, bench.port.sums, rows, bench.rng)

    async def send_words(ctx: Any) -> None:
        await send(ctx, bench.port.words, words, bench.rng)

    bench.sim.add_testbench(count, background=True)
    bench.sim.add_testbench(send_words, background=True)
    bench.sim.add_testbench(core)
    bench.sim.run()
    assert counted["words"] == len(words)
    assert counted["cycles"] <= len(words) + 12


def test_unread_sums_stop_the_words_and_none_is_lost() -> None:
    bench = Bench(16)
    rows = 60
    matrix = np.arange(rows).reshape(rows, 1) % 3 - 1

    async def words(ctx: Any) -> None:
        await send(ctx, bench.port.words, words_of(matrix, 16, five=True), bench.rng)

    async def core(ctx: Any) -> None:
        await bench.load(ctx, np.array([5]), five=True)
        await bench.start(ctx, rows, 1)
        await ctx.tick().repeat(100)
        assert not ctx.get(bench.port.words.ready)
        sums = await receive(ctx, bench.port.sums, rows, bench.rng)
        assert [item["sum"] for item in sums] == (5 * matrix[:, 0]).tolist()

    bench.sim.add_testbench(words, background=True)
    bench.sim.add_testbench(core)
    bench.sim.run()


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("after", [2, 7, 20, 37])
def test_abort_forgets_everything(after: int, again: bool) -> None:
    """In the middle of words, of the drain and of the loading of activations."""
    bench = Bench(16)
    port = bench.port
    first = np.full((4, 55), -1)
    second = np.random.default_rng(after).integers(-1, 2, (3, 27))
    activations = np.arange(27) - 13

    async def core(ctx: Any) -> None:
        await bench.load(ctx, np.full(55, 100), five=True)
        await bench.start(ctx, *first.shape)
        ctx.set(port.words.payload, 0)
        ctx.set(port.words.valid, 1)
        await ctx.tick().repeat(after)
        await abort(ctx)
        ctx.set(port.words.valid, 0)
        if again:
            items = [{"value": 9, "last": 0}] * (after % 12)
            await send(ctx, port.activations, items, bench.rng)
            await abort(ctx)

        await bench.load(ctx, activations, five=True)
        await bench.start(ctx, *second.shape)
        await send(ctx, port.words, words_of(second, 16, five=True), bench.rng)
        sums = await receive(ctx, port.sums, len(second), bench.rng)
        assert [item["sum"] for item in sums] == (second @ activations).tolist()
        await ctx.tick().repeat(20)
        assert not ctx.get(port.sums.valid)

    async def abort(ctx: Any) -> None:
        ctx.set(port.abort, 1)
        await ctx.tick()
        ctx.set(port.abort, 0)
        assert not ctx.get(port.busy)

    bench.sim.add_testbench(core)
    bench.sim.run()
