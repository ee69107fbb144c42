"""The designs that are simulated: an accelerator with bytes instead of a UART in front of it.

It knows which parts make a configuration; it does not know how it is compiled or run.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from edge_sdk.firmware_images.contract.configurations import GEOMETRIES
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.manifest import SIMULATED, pack_manifest
from edge_sdk.firmware_images.gateware.array.array import TernaryArray
from edge_sdk.firmware_images.gateware.boards.sdram_pads import ROUND_TRIP
from edge_sdk.firmware_images.gateware.core.core import Core
from edge_sdk.firmware_images.gateware.link.layout import BUILD_ID_BYTES, Settings
from edge_sdk.firmware_images.gateware.link.link import Link
from edge_sdk.firmware_images.gateware.memory.block import BlockMemory
from edge_sdk.firmware_images.gateware.memory.chip import SDR_32MIB_X16, Chip
from edge_sdk.firmware_images.gateware.memory.pins import SdramPins
from edge_sdk.firmware_images.gateware.memory.sdram import Sdram
from edge_sdk.firmware_images.gateware.top import Accelerator
from edge_sdk.firmware_images.manifest import source_hash


@dataclass(frozen=True)
class Configuration:
    """What one simulation is made of."""

    board: str
    """The name in HELLO."""
    geometry: Geometry
    clock_hz: int
    chip: Chip | None
    """The SDRAM beside the chip; None for block RAM."""


CONFIGURATIONS = {
    "ulx3s": Configuration("ulx3s-85f", GEOMETRIES["ulx3s"], 75_000_000, SDR_32MIB_X16),
    "small": Configuration("small", GEOMETRIES["small"], 75_000_000, None),
}


class SimulatedBoard(wiring.Component):
    """`rx` is what the board receives, `tx` what it sends, `sdram` the chip's pins if it has any.

    Its build id is the beginning of the hash of the sources, and its manifest says `simulated`.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        ports = {"rx": In(stream.Signature(8)), "tx": Out(stream.Signature(8))}
        if configuration.chip is not None:
            ports["sdram"] = Out(SdramPins(configuration.chip))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """The accelerator, without UART and with nothing on the I2C bus."""
        m = Module()
        geometry, clock_hz = self.configuration.geometry, self.configuration.clock_hz
        build_id = bytes.fromhex(source_hash())[:BUILD_ID_BYTES]
        board = self.configuration.board
        manifest = pack_manifest(board, build_id.hex(), clock_hz, geometry, [SIMULATED])
        m.submodules.parts = parts = Accelerator(
            self._memory(m),
            TernaryArray(geometry.memory_bits, geometry.q_depth),
            Core(geometry),
            Link(Settings(geometry, clock_hz, manifest, build_id)),
        )
        connect(m, flipped(self.rx), parts.received)
        connect(m, parts.sent, flipped(self.tx))
        m.d.comb += [parts.line_idle.eq(1), parts.scl.eq(1), parts.sda.eq(1)]
        return m

    def _memory(self, m: Module) -> wiring.Component:
        configuration = self.configuration
        if configuration.chip is None:
            geometry = configuration.geometry
            return BlockMemory(geometry.memory_bits, geometry.memory_words)
        memory = Sdram(configuration.chip, configuration.clock_hz, ROUND_TRIP)
        # The registers in the pads, which a board has (boards.sdram_pads).
        for name, member in SdramPins(configuration.chip).members.items():
            inner, outer = getattr(memory.pins, name), getattr(self.sdram, name)
            if member.is_port and name == "dq_i":
                m.d.sync += inner.eq(outer)
            else:
                stage = Signal.like(outer)
                m.d.sync += stage.eq(inner)
                m.d.comb += outer.eq(stage)
        return memory
