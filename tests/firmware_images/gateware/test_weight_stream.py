"""Weights from an SDRAM through the array: the two together, at the rate that counts."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from edge_sdk.firmware_images.gateware.array.array import TernaryArray
from edge_sdk.firmware_images.gateware.memory.chip import SDR_32MIB_X16
from edge_sdk.firmware_images.gateware.memory.controller import SdramController
from tests.firmware_images.gateware.sdram_chip import SdramChip, attach
from tests.firmware_images.gateware.streams import receive, send
from tests.firmware_images.gateware.test_array import words_of

HZ = 75e6
CHIP = replace(SDR_32MIB_X16, power_up=300)


class Stream(Elaboratable):
    def __init__(self) -> None:
        self.memory = SdramController(CHIP, HZ, round_trip=2)
        self.array = TernaryArray(16, 64)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = self.memory
        m.submodules.array = self.array
        wiring.connect(m, self.memory.port.read, self.array.port.words)
        return m


def test_weights_arrive_at_95_in_100_of_the_peak() -> None:
    dut = Stream()
    rows, columns, address = 80, 512, 12_345
    numbers = np.random.default_rng(3)
    matrix = numbers.integers(-1, 2, (rows, columns))
    activations = numbers.integers(-127, 128, columns)
    words = words_of(matrix, 16, five=True)
    model = SdramChip(CHIP, HZ, storage=dict(enumerate(words, address)))
    array, memory = dut.array.port, dut.memory.port
    rng = random.Random(1)
    taken: list[int] = []

    async def chip(ctx: Any) -> None:
        await attach(ctx, dut.memory.pins, model, round_trip=2)

    async def watch(ctx: Any) -> None:
        clock = 0
        async for _, _, valid, ready in ctx.tick().sample(memory.read.valid, memory.read.ready):
            clock += 1
            if valid and ready:
                taken.append(clock)

    async def core(ctx: Any) -> None:
        ctx.set(array.five, 1)
        items = [
            {"value": int(value), "last": i == columns - 1} for i, value in enumerate(activations)
        ]
        await send(ctx, array.activations, items, rng)
        ctx.set(array.rows, rows)
        ctx.set(array.columns, columns)
        ctx.set(array.start, 1)
        await ctx.tick()
        ctx.set(array.start, 0)
        request = {"address": address, "count": len(words), "write": 0}
        await send(ctx, memory.request, [request], rng)
        sums = await receive(ctx, array.sums, rows, rng)
        assert [item["sum"] for item in sums] == (matrix @ activations).tolist()

    sim = Simulator(dut)
    sim.add_clock(1 / HZ)
    sim.add_process(chip)
    sim.add_testbench(watch, background=True)
    sim.add_testbench(core)
    sim.run()
    assert not model.violation
    assert len(taken) == len(words)
    assert len(words) / (taken[-1] - taken[0] + 1) >= 0.95
