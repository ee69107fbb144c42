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
from tests.firmware_images.gateware.memory_user import MemoryUser
from tests.firmware_images.gateware.sdram_chip import SdramChip, Violation, attach

HZ = 75e6
SMALL = replace(SDR_32MIB_X16, row_bits=3, column_bits=4, power_up=300)
"""Rows so short that the opening of the next one does not always fit into one."""


def simulate(
    controller: SdramController, user: Callable[[Any], Any], model: SdramChip, *watchers: Any
) -> None:
    sim = Simulator(controller)
    sim.add_clock(1 / HZ)

    async def chip(ctx: Any) -> None:
        await attach(ctx, controller.pins, model)

    sim.add_process(chip)
    sim.add_testbench(user)
    for watcher in watchers:
        sim.add_testbench(watcher, background=True)
    sim.run()


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


