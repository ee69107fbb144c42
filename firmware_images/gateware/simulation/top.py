"""The designs that are simulated: a board's accelerator without its UART, and a small one.

It knows which parts make a configuration; it does not know how it is compiled or run.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgpack
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from edge_sdk.firmware_images.contract import isa, wire
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.gateware.array.array import TernaryArray
from edge_sdk.firmware_images.gateware.core.core import Core
from edge_sdk.firmware_images.gateware.link.layout import Settings
from edge_sdk.firmware_images.gateware.link.link import Link
from edge_sdk.firmware_images.gateware.link.memory_switch import MemorySwitch
from edge_sdk.firmware_images.gateware.memory.block import BlockMemory
from edge_sdk.firmware_images.gateware.memory.chip import SDR_32MIB_X16, Chip
from edge_sdk.firmware_images.gateware.memory.pins import SdramPins
from edge_sdk.firmware_images.gateware.memory.sdram import Sdram

ULX3S = Geometry(
    memory_bits=16,
    memory_words=1 << 24,
    x_depth=1024,
    s_depth=8192,
    a_depth=4096,
    b_depth=4096,
    q_depth=512,
)


class SimulatedBoard(wiring.Component):
    def __init__(self, geometry: Geometry, clock_hz: int, chip: Chip | None) -> None:
        self.geometry, self.clock_hz, self.chip = geometry, clock_hz, chip
        ports = {"rx": In(stream.Signature(8)), "tx": Out(stream.Signature(8))}
        if chip is not None:
            ports["sdram"] = Out(SdramPins(chip))
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        g = self.geometry
        manifest = msgpack.packb({"board": "simulated", "lanes": g.lanes, "clock_hz": self.clock_hz})
        m.submodules.link = link = Link(Settings(g, self.clock_hz, manifest))
        m.submodules.core = core = Core(g)
        m.submodules.array = array = TernaryArray(g.memory_bits, g.q_depth)
        address_bits = (g.memory_words - 1).bit_length()
        m.submodules.switch = switch = MemorySwitch(g.memory_bits, address_bits)
        if self.chip is None:
            m.submodules.memory = memory = BlockMemory(g.memory_bits, g.memory_words)
        else:
            m.submodules.memory = memory = Sdram(self.chip, self.clock_hz)
            connect(m, memory.pins, flipped(self.sdram))
        connect(m, switch.memory, memory.port)
        connect(m, core.memory, switch.core)
        connect(m, link.memory, switch.link)
        connect(m, core.array, array.port)
        connect(m, link.core, core.link)
        connect(m, flipped(self.rx), link.received)
        connect(m, link.sent, flipped(self.tx))
        m.d.comb += [switch.core_owns.eq(link.runs), link.line_idle.eq(1), link.scl.eq(1), link.sda.eq(1)]
        return m


def simulated(configuration: str):
    if configuration == "ulx3s":
        return SimulatedBoard(ULX3S, 75_000_000, SDR_32MIB_X16)
    raise ValueError(configuration)
