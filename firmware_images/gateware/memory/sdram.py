"""An SDR SDRAM with the memory test in front of it: what a board connects.

It knows how the two are joined.
"""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.gateware.memory.chip import Chip
from edge_sdk.firmware_images.gateware.memory.controller import SdramController
from edge_sdk.firmware_images.gateware.memory.pins import SdramPins
from edge_sdk.firmware_images.gateware.memory.probe import MemoryProbe
from edge_sdk.firmware_images.gateware.ports import MemorySignature


class Sdram(wiring.Component):
    """SdramController, whose arguments these are, behind MemoryProbe."""

    def __init__(self, chip: Chip, clock_hz: float, round_trip: int = 0, batch: int = 4) -> None:
        self.chip = chip
        self.controller = SdramController(chip, clock_hz, round_trip, batch)
        super().__init__(
            {
                "port": In(MemorySignature(chip.bits, chip.address_bits)),
                "pins": Out(SdramPins(chip)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two connections."""
        m = Module()
        probe = MemoryProbe(self.chip.bits, self.chip.address_bits)
        m.submodules.controller = self.controller
        m.submodules.probe = probe
        wiring.connect(m, probe.memory, self.controller.port)
        wiring.connect(m, wiring.flipped(self.port), probe.port)
        wiring.connect(m, self.controller.pins, wiring.flipped(self.pins))
        return m
