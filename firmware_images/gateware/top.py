"""The accelerator: link, core, array and memory as one component.

It knows how they are joined; it does not know boards, nor what any of them is built for.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from edge_sdk.firmware_images.gateware.link.link import Link
from edge_sdk.firmware_images.gateware.link.memory_switch import MemorySwitch
from edge_sdk.firmware_images.gateware.link.uart import DIVISOR_BITS


class Accelerator(wiring.Component):
    """Requests in, replies out, as bytes: a UART, or a simulation, stands in front of it.

    Args:
        memory: a component whose `port` is MemorySignature; its pins are whoever's that makes it.
        array: one whose `port` is ArraySignature.
        core: one with `link` (CoreSignature), `memory` and `array`.
        link: made for the same geometry.

    The ports are the link's: see there.
    """

    def __init__(self, memory: Any, array: Any, core: Any, link: Link) -> None:
        self.memory = memory
        self.array = array
        self.core = core
        self.link = link
        super().__init__(
            {
                "received": In(stream.Signature(8)),
                "sent": Out(stream.Signature(8)),
                "divisor": Out(DIVISOR_BITS),
                "set_divisor": Out(1),
                "line_idle": In(1),
                "scl": In(1),
                "sda": In(1),
                "scl_low": Out(1),
                "sda_low": Out(1),
                # Memory is tested, and holds something.
                "ready": Out(1),
                "runs": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connections, and nothing else."""
        m = Module()
        link, core = self.link, self.core
        m.submodules.memory = self.memory
        m.submodules.array = self.array
        m.submodules.core = core
        m.submodules.link = link
        m.submodules.switch = switch = MemorySwitch(link.memory_bits, link.address_bits)
        connect(m, switch.memory, self.memory.port)
        connect(m, core.memory, switch.core)
        connect(m, link.memory, switch.link)
        connect(m, core.array, self.array.port)
        connect(m, link.core, core.link)
        connect(m, flipped(self.received), link.received)
        connect(m, link.sent, flipped(self.sent))
        m.d.comb += [
            switch.core_owns.eq(link.runs),
            link.line_idle.eq(self.line_idle),
            link.scl.eq(self.scl),
            link.sda.eq(self.sda),
            self.divisor.eq(link.divisor),
            self.set_divisor.eq(link.set_divisor),
            self.scl_low.eq(link.scl_low),
            self.sda_low.eq(link.sda_low),
            self.ready.eq(self.memory.port.ready & (self.memory.port.found != 0)),
            self.runs.eq(link.runs),
        ]
        return m
