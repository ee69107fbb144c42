"""Whole tokens of small models in the core, and everything that can end a program early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.config import ModelConfig
from edge_sdk.firmware_images.contract.geometry import Ram
from edge_sdk.firmware_images.contract.isa import Flag, Instruction, Op
from edge_sdk.firmware_images.contract.wire import Code, Counter
from edge_sdk.firmware_images.gateware.ports import Task
from tests.devices.board.small import small
from tests.firmware_images.gateware.core_bench import Bench, Outcome, chip

TINY = ModelConfig(vocab_size=30, hidden_size=24, num_layers=1, intermediate_size=37)
HALT = Instruction(Op.HALT)
ACT = Instruction(Op.ACT, n=32, ram1=Ram.X, ram2=Ram.A)


def assemble(*program: Instruction) -> bytes:
    return b"".join(one.encode() for one in program)


@pytest.mark.parametrize(("bits", "five_trits"), [(16, True), (32, False)])
def test_tokens_equal_the_integer_model(tmp_path: Path, bits: int, five_trits: bool) -> None:
    geometry = chip(bits)
    compiled = small(tmp_path, TINY, geometry, five_trits=five_trits)
    compiled.model.close()
    bench = Bench(compiled.image.data, geometry)
    boot = bench.model.boot

    async def testbench(ctx: Any) -> None:
        ctx.set(bench.link.body, boot.body)
        ctx.set(bench.link.head, boot.head)
        assert (await bench.task(ctx, Task.BODY, token=7)).code == 0
        assert (await bench.task(ctx, Task.HEAD, top_k=12)).code == 0
        bench.model.feed([7], 12)
        await bench.compare_top(ctx)
        await bench.compare(ctx)

    bench.run(testbench)


def run(image: bytes, body: int) -> tuple[Outcome, list[int]]:
    """How a program at `body` ends, and RAM A after it; X holds ones before."""
    bench = Bench(image)
    result: list[Any] = []

    async def testbench(ctx: Any) -> None:
        await bench.write(ctx, Ram.X, np.full(32, 4096))
        ctx.set(bench.link.body, body)
        result.append(await bench.task(ctx, Task.BODY))
        result.append(await bench.read(ctx, Ram.A))

    bench.run(testbench)
    return result[0], result[1]


@pytest.mark.parametrize(
    ("image", "body", "fault", "ran"),
    [
        (assemble(ACT, HALT), 0, None, True),
        (bytes(16) + assemble(ACT, ACT, Instruction(Op.ACT, n=33), HALT), 8, 24, True),
        (assemble(ACT) + b"\x00" * 16, 0, 8, True),
        (assemble(ACT, Instruction(Op.HALT, Flag.GAIN)), 0, 8, True),
        (assemble(ACT, HALT), 4, 4, False),
        (b"", 4096, 4096, False),
        (b"", 0xFFFFFFF8, 0xFFFFFFF8, False),
        # The last instruction of memory, and none behind it.
        (bytes(8176) + assemble(ACT), 4088, 4096, True),
    ],
    ids=[
        "halt", "too long", "no opcode", "halt with a flag", "between instructions", "at the end",
        "far beyond", "off the end",
    ],
)  # fmt: skip
def test_a_program_ends_at_halt_or_at_its_first_bad_instruction(
    image: bytes, body: int, fault: int | None, ran: bool
) -> None:
    outcome, a = run(image, body)

    assert outcome.code == (0 if fault is None else Code.BAD_OPCODE)
    assert fault is None or outcome.fault == fault
    assert a[0] == (2994 if ran else 0)


def test_clear_sets_the_state_to_zero_and_nothing_else() -> None:
    bench = Bench()

    async def testbench(ctx: Any) -> None:
        for ram in Ram:
            await bench.write(ctx, ram, np.arange(bench.geometry.depth(ram)) + 5)
        assert (await bench.task(ctx, Task.CLEAR)).code == 0
        bench.model.reset()
        await bench.compare(ctx)

    bench.run(testbench)


def test_an_abort_ends_a_task_and_the_next_one_runs() -> None:
    """In the fetch, in the checks, in a pass, in a stream of weights, between instructions."""
    rows = Instruction(Op.TMV, n=32, extra=60, ram1=Ram.B, factor=40000, shift=20)
    program = (Instruction(Op.QNT, n=32, ram1=Ram.X), rows, rows, HALT)
    bench = Bench(assemble(*program))
    link = bench.link

    async def abort(ctx: Any, after: int) -> None:
        ctx.set(link.task.payload, {"task": Task.BODY, "token": 0, "top_k": 0})
        ctx.set(link.task.valid, 1)
        await ctx.tick().until(link.task.ready)
        ctx.set(link.task.valid, 0)
        await ctx.tick().repeat(after + 1)
        ctx.set(link.abort, 1)
        await ctx.tick()
        ctx.set(link.abort, 0)
        cycles = 0
        while not ctx.get(link.done):
            await ctx.tick()
            cycles += 1
            assert cycles < 300  # the words that are on their way
        assert ctx.get(link.code) == Code.WATCHDOG

    async def testbench(ctx: Any) -> None:
        await bench.write(ctx, Ram.X, np.arange(32))
        for after in (0, 1, 20, 30, 47, 75, 110, 300):
            await abort(ctx, after)
        assert (await bench.task(ctx, Task.BODY)).code == 0
        for one in program:
            bench.model.execute(one)
        await bench.compare(ctx)

    bench.run(testbench)


def test_a_task_that_is_taken_back_does_not_run() -> None:
    bench = Bench(assemble(ACT, HALT))
    link = bench.link

    async def testbench(ctx: Any) -> None:
        await ctx.tick().repeat(60)
        for cycles in range(1, 9):
            ctx.set(link.task.payload, {"task": Task.BODY, "token": 0, "top_k": 0})
            ctx.set(link.task.valid, 1)
            moved = False
            for _ in range(cycles):
                moved |= bool(ctx.get(link.task.ready))
                await ctx.tick()
            ctx.set(link.task.valid, 0)
            done = False
            for _ in range(200):
                await ctx.tick()
                done |= bool(ctx.get(link.done))
            assert done == moved
        assert moved

    bench.run(testbench)


def test_counters_count_what_they_say() -> None:
    program = (
        Instruction(Op.QNT, Flag.FIVE_TRITS, n=25, ram1=Ram.X),
        Instruction(Op.TMV, Flag.FIVE_TRITS, n=25, extra=10, ram1=Ram.B, factor=40000, shift=20),
        HALT,
    )
    bench = Bench(assemble(*program))

    async def testbench(ctx: Any) -> None:
        outcome = await bench.task(ctx, Task.BODY)
        counters = bench.link.counters
        await ctx.tick()
        assert ctx.get(counters[Counter.STREAM_WORDS]) == 10 * 3
        assert ctx.get(counters[Counter.VECTOR_WORDS]) == 2 * 25
        assert abs(ctx.get(counters[Counter.BUSY]) - outcome.cycles) <= 1

    bench.run(testbench)
