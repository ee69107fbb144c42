from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from amaranth.sim import Simulator

from edge_sdk.firmware_images.gateware.memory.chip import (
    SDR_8MIB_X32,
    SDR_32MIB_X16,
    Chip,
    Clocks,
)
from edge_sdk.firmware_images.gateware.memory.controller import SdramController
from edge_sdk.firmware_images.gateware.memory.sdram import Sdram
from tests.firmware_images.gateware.memory_user import MemoryUser
from tests.firmware_images.gateware.sdram_chip import Pins, SdramChip, attach
from tests.firmware_images.gateware.streams import receive, send

HZ = 75e6
SMALL = replace(SDR_32MIB_X16, row_bits=3, column_bits=4, power_up=300)
"""Rows so short that the opening of the next one does not always fit into one."""


def simulate(
    memory: Any,
    user: Callable[[Any], Any],
    model: SdramChip,
    *watchers: Any,
    trace: list[Pins] | None = None,
    round_trip: int = 0,
) -> None:
    sim = Simulator(memory)
    sim.add_clock(1 / HZ)

    async def chip(ctx: Any) -> None:
        await attach(ctx, memory.pins, model, trace, round_trip)

    sim.add_process(chip)
    sim.add_testbench(user)
    for watcher in watchers:
        sim.add_testbench(watcher, background=True)
    sim.run()
    assert not model.violation


def record(chip: Chip, steps: int) -> list[Pins]:
    """What a controller does to the pins in `steps` random bursts."""
    controller = SdramController(chip, HZ)
    user = MemoryUser(controller.port)
    model = SdramChip(chip, HZ)
    trace: list[Pins] = []

    async def core(ctx: Any) -> None:
        await user.mix(ctx, [0] * (1 << chip.address_bits), chip.bits, steps, most=80)

    simulate(controller, core, model, trace=trace)
    return trace


@pytest.mark.parametrize("hz", [50e6, 75e6, 133e6])
@pytest.mark.parametrize("cas", [2, 3])
def test_it_keeps_what_is_written(hz: float, cas: int) -> None:
    chip = replace(SMALL, cas=cas)
    controller = SdramController(chip, hz)
    user = MemoryUser(controller.port, seed=cas)

    async def core(ctx: Any) -> None:
        size = 1 << chip.address_bits
        model = [0] * size
        await user.mix(ctx, model, chip.bits, steps=80, most=150)
        await user.write(ctx, 0, [word ^ 0xFFFF for word in model])
        assert await user.read(ctx, 0, size) == [word ^ 0xFFFF for word in model]

    simulate(controller, core, SdramChip(chip, hz))


def test_times_that_seldom_bind_are_kept() -> None:
    """In usual chips they pass while something else is waited for."""
    chip = replace(SMALL, t_ras=200, t_rc=300, t_wr=150, t_rfc=130, refresh_interval=2500)
    controller = SdramController(chip, HZ)
    user = MemoryUser(controller.port)

    async def core(ctx: Any) -> None:
        await user.mix(ctx, [0] * (1 << chip.address_bits), 16, steps=200, most=40)

    simulate(controller, core, SdramChip(chip, HZ))


def test_a_request_waits_for_the_last_word_of_the_one_before() -> None:
    controller = SdramController(SMALL, HZ)
    user = MemoryUser(controller.port)

    async def core(ctx: Any) -> None:
        await user.check_that_requests_wait(ctx)

    simulate(controller, core, SdramChip(SMALL, HZ))


@pytest.mark.parametrize("round_trip", [0, 1, 2])
def test_registers_in_the_pads_are_allowed_for(round_trip: int) -> None:
    controller = SdramController(SMALL, HZ, round_trip)
    user = MemoryUser(controller.port)

    async def core(ctx: Any) -> None:
        await user.mix(ctx, [0] * (1 << SMALL.address_bits), 16, steps=30, most=60)

    simulate(controller, core, SdramChip(SMALL, HZ), round_trip=round_trip)


@pytest.mark.parametrize(
    ("chip", "hz", "count"), [(SDR_32MIB_X16, 75e6, 20_000), (SDR_8MIB_X32, 100e6, 6000)]
)
def test_a_long_burst_is_near_the_peak(chip: Chip, hz: float, count: int) -> None:
    """Of the clocks from the first word to the last, 97 in 100 bring one."""
    chip = replace(chip, power_up=300)
    controller = SdramController(chip, hz)
    start = 1000
    model = SdramChip(chip, hz, storage={start + i: 7 * i & 0xFFFF for i in range(count)})
    user = MemoryUser(controller.port)
    clocks: list[int] = []

    async def watch(ctx: Any) -> None:
        clock = 0
        port = controller.port.read
        async for _, _, valid, ready in ctx.tick().sample(port.valid, port.ready):
            clock += 1
            if valid and ready:
                clocks.append(clock)

    async def core(ctx: Any) -> None:
        words = await user.read(ctx, start, count)
        assert words == [7 * i & 0xFFFF for i in range(count)]

    simulate(controller, core, model, watch)
    efficiency = count / (clocks[-1] - clocks[0] + 1)
    print(f"{chip.bits} bits at {hz / 1e6:.0f} MHz: {efficiency:.4f} words a clock")
    assert efficiency >= 0.97


@pytest.mark.parametrize("write", [0, 1])
def test_refreshes_come_while_a_burst_waits(write: int) -> None:
    """The chip model objects if they do not, however long nobody takes or brings a word."""
    chip = replace(SMALL, refresh_interval=1500)
    controller = SdramController(chip, HZ)
    model = SdramChip(chip, HZ)
    user = MemoryUser(controller.port)

    async def core(ctx: Any) -> None:
        request = {"address": 3, "count": 40, "write": write}
        await send(ctx, controller.port.request, [request], user.rng)
        await ctx.tick().repeat(3000)
        if write:
            await send(ctx, controller.port.write, range(40), user.rng, 0.5)
        else:
            assert await receive(ctx, controller.port.read, 40, user.rng, 0.5) == [0] * 40

    simulate(controller, core, model)
    assert model.refreshes >= 3000 // 112 - 8


def test_an_idle_controller_refreshes_when_it_is_due() -> None:
    controller = SdramController(SMALL, HZ)
    model = SdramChip(SMALL, HZ)
    strobes = []

    async def count(ctx: Any) -> None:
        async for _, _, refresh in ctx.tick().sample(controller.port.refresh):
            strobes.append(refresh)

    async def core(ctx: Any) -> None:
        await ctx.tick().until(controller.port.ready)
        before = sum(strobes)
        await ctx.tick().repeat(6000)
        assert 10 <= sum(strobes) - before <= 11

    simulate(controller, core, model, count)


SLOWER = {
    "t_rcd": (60, "tRCD"),
    "t_rp": (60, "tRP"),
    "t_ras": (200, "tRAS"),
    "t_rc": (250, "tRC"),
    "t_rrd": (250, "tRRD"),
    "t_rfc": (200, "tRFC"),
    "t_wr": (90, "tWR"),
    "t_mrd": (100, "tMRD"),
    "refresh_interval": (2000, "put off"),
    "power_up": (1000, "power up"),
    "cas": (3, "CAS latency 2"),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", SLOWER)
def test_a_controller_for_a_faster_chip_is_caught(name: str) -> None:
    value, message = SLOWER[name]
    controller = SdramController(SMALL, HZ)
    model = SdramChip(replace(SMALL, **{name: value}), HZ)
    user = MemoryUser(controller.port)

    async def core(ctx: Any) -> None:
        words = [0] * (1 << SMALL.address_bits)
        while not model.violation:
            await user.mix(ctx, words, 16, steps=1, most=80)

    with pytest.raises(AssertionError, match=message):
        simulate(controller, core, model)


def test_a_late_sample_reads_garbage() -> None:
    """The chip drives for one clock only: a controller that looks at another one is found out."""
    controller = SdramController(SMALL, HZ, round_trip=1)
    user = MemoryUser(controller.port)

    async def core(ctx: Any) -> None:
        await user.write(ctx, 0, [1])
        assert await user.read(ctx, 0, 1) != [1]

    simulate(controller, core, SdramChip(SMALL, HZ))


@pytest.mark.parametrize("missing", ["row_bits", "column_bits", None])
@pytest.mark.parametrize("bits", [16, 32])
def test_the_size_that_is_fitted_is_found(missing: str | None, bits: int) -> None:
    chip = replace(SMALL, bits=bits, row_bits=5)
    fitted = replace(chip, **{missing: getattr(chip, missing) - 1}) if missing else chip
    expected = {"row_bits": 1 << 10, "column_bits": 1 << 3, None: 1 << 11}[missing]
    memory = Sdram(chip, HZ)
    user = MemoryUser(memory.port)

    async def core(ctx: Any) -> None:
        assert not ctx.get(memory.port.ready)
        await ctx.tick().until(memory.port.ready)
        assert ctx.get(memory.port.found) == expected
        words = [user.rng.getrandbits(bits) for _ in range(expected)]
        await user.write(ctx, 0, words)
        assert await user.read(ctx, 0, expected) == words

    simulate(memory, core, SdramChip(fitted, HZ))


@pytest.mark.parametrize("stuck", [0x0001, 0x8000, 0xFFFF])
@pytest.mark.parametrize("level", [0, 1])
def test_stuck_data_lines_leave_no_memory(stuck: int, level: int) -> None:
    memory = Sdram(SMALL, HZ)

    class Stuck(SdramChip):
        def step(self, pins: Pins) -> int | None:
            word = super().step(pins)
            return word if word is None else word | stuck if level else word & ~stuck

    async def core(ctx: Any) -> None:
        await ctx.tick().until(memory.port.ready)
        assert ctx.get(memory.port.found) == 0

    simulate(memory, core, Stuck(SMALL, HZ))


def test_times_become_whole_clocks() -> None:
    assert Clocks.of(SDR_32MIB_X16, 75e6) == Clocks(
        rcd=2, rp=2, ras=4, rc=5, rfc=6, wr=2, mrd=2, power_up=15_000, refresh_interval=585
    )


def test_a_clock_too_slow_for_refreshes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.0 MHz"):
        Clocks.of(SDR_32MIB_X16, 1e6)
