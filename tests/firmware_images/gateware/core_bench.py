"""The core with the array and block memory in a simulation, beside the integer model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from edge_sdk.devices.board.integer_model import IntegerModel
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import Instruction
from edge_sdk.firmware_images.contract.wire import Counter
from edge_sdk.firmware_images.gateware.array.array import TernaryArray
from edge_sdk.firmware_images.gateware.core.core import Core
from edge_sdk.firmware_images.gateware.memory.block import BlockMemory
from edge_sdk.firmware_images.gateware.ports import Task


def chip(memory_bits: int = 16) -> Geometry:
    """A core small enough for this simulator; 8 KiB of memory."""
    return Geometry(
        memory_bits,
        65536 // memory_bits,
        x_depth=32,
        s_depth=64,
        a_depth=64,
        b_depth=64,
        q_depth=8,
    )


LONGEST = 200_000
"""Cycles that no task of a test takes."""


@dataclass
class Outcome:
    """How a task ended."""

    code: int
    fault: int
    cycles: int


class Bench:
    """A core with `image` in its memory, and the model of the same accelerator."""

    def __init__(self, image: bytes = b"", geometry: Geometry | None = None) -> None:
        self.geometry = geometry = geometry or chip()
        self.model = IntegerModel(geometry, image)
        size = geometry.memory_bits // 8
        padded = image + bytes(-len(image) % size)
        words = [
            int.from_bytes(padded[i : i + size], "little") for i in range(0, len(padded), size)
        ]
        self.core = Core(geometry)
        memory = BlockMemory(geometry.memory_bits, geometry.memory_words, words)
        array = TernaryArray(geometry.memory_bits, geometry.q_depth)
        module = Module()
        module.submodules += [self.core, memory, array]
        wiring.connect(module, self.core.memory, memory.port)
        wiring.connect(module, self.core.array, array.port)
        self.link = self.core.link
        self.sim = Simulator(module)
        self.sim.add_clock(1e-8)

    def run(self, testbench: Any) -> None:
        """Simulate until `testbench` ends."""
        self.sim.add_testbench(testbench)
        self.sim.run()

    # What a testbench does.

    async def task(
        self,
        ctx: Any,
        task: Any,  # a Task
        token: int = 0,
        top_k: int = 0,
        instruction: bytes = bytes(16),
    ) -> Outcome:
        """Run a task to its end."""
        link = self.link
        ctx.set(link.instruction, int.from_bytes(instruction, "little"))
        ctx.set(link.task.payload, {"task": task, "token": token, "top_k": top_k})
        ctx.set(link.task.valid, 1)
        await ctx.tick().until(link.task.ready)
        ctx.set(link.task.valid, 0)
        ctx.set(link.task.payload, {"task": Task.CLEAR, "token": 0xFFFF, "top_k": 0})
        cycles = 0
        while not ctx.get(link.done):
            await ctx.tick()
            cycles += 1
            assert cycles < LONGEST
        return Outcome(ctx.get(link.code), ctx.get(link.fault), cycles)

    async def read(self, ctx: Any, ram: Ram) -> list[int]:
        """All of a RAM, through the window."""
        values = []
        ctx.set(self.link.ram, ram)
        for address in range(self.geometry.depth(ram)):
            ctx.set(self.link.ram_address, address)
            await ctx.tick().repeat(2)
            value = ctx.get(self.link.ram_read_data)
            values.append(value - 65536 if value >= 32768 else value)
        return values

    async def write(self, ctx: Any, ram: Ram, values: np.ndarray) -> None:
        """All of a RAM, here and in the model."""
        self.model.write_ram(ram, 0, values.astype(np.int16))
        ctx.set(self.link.ram, ram)
        ctx.set(self.link.ram_write, 1)
        for address, value in enumerate(values):
            ctx.set(self.link.ram_address, address)
            ctx.set(self.link.ram_write_data, int(value) & 0xFFFF)
            await ctx.tick()
        ctx.set(self.link.ram_write, 0)

    async def top(self, ctx: Any) -> list[tuple[int, int]]:
        """(sum, row) of the best, best first."""
        items = []
        for index in range(ctx.get(self.link.top_count)):
            ctx.set(self.link.top_index, index)
            await ctx.tick()
            items.append((-ctx.get(self.link.top_sum), ctx.get(self.link.top_row)))
        return [(-negative, row) for negative, row in sorted(items)]

    async def both(self, ctx: Any, one: Instruction, token: int = 0, top_k: int = 0) -> Outcome:
        """EXECUTE `one` here and in the model; both must refuse it or neither."""
        outcome = await self.task(ctx, Task.EXECUTE, token, top_k, one.encode())
        try:
            self.model.execute(one, token=token, top_k=top_k)
            assert (outcome.code, one) == (0, one)
        except Refused as refusal:
            assert (outcome.code, outcome.fault, one) == (refusal.code, refusal.detail, one)
        return outcome

    async def compare(self, ctx: Any, what: object = "") -> None:
        """All RAMs and the saturations are those of the model."""
        for ram in Ram:
            expected = self.model.read_ram(ram, 0, self.geometry.depth(ram)).tolist()
            assert (await self.read(ctx, ram), ram, what) == (expected, ram, what)
        assert ctx.get(self.link.counters[Counter.SATURATIONS]) == self.model.saturations, what

    async def compare_top(self, ctx: Any) -> None:
        """The best sums and their scale are those of the model."""
        scores = self.model.scores
        expected = list(zip(scores.sums.tolist(), scores.rows.tolist(), strict=True))
        assert await self.top(ctx) == expected
        assert ctx.get(self.link.mantissa) == scores.mantissa
        assert ctx.get(self.link.shift) == scores.shift
