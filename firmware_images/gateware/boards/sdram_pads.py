"""An SDR SDRAM's pins on an FPGA, with a register in each pad.

It knows pads and clocks; it does not know commands, nor which pin is which.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io

ROUND_TRIP = 2
"""Clocks that these registers add: one on the way to the chip and one on the way back."""


class SdramPads(Elaboratable):
    """Joins `pins` (SdramPins) to `ports`, whose clock pin follows the domain `clock_domain`.

    With the chip's clock late by 315 degrees, it sees an output most of a clock after that was
    made, and its answer is sampled as long after its own edge as without any shift: one eighth of a
    clock less. The phase is a parameter of the board because no one has measured it on one.
    """

    def __init__(self, pins: Any, ports: Any, clock_domain: str) -> None:
        self.pins = pins
        self.ports = ports
        self.clock_domain = clock_domain

    def elaborate(self, platform: object) -> Module:
        """Outputs, the clock, and the data in both directions."""
        m = Module()
        pins, ports = self.pins, self.ports
        outputs = {
            "clk_en": pins.cke,
            "cs": pins.cs,
            "ras": pins.ras,
            "cas": pins.cas,
            "we": pins.we,
            "ba": pins.ba,
            "a": pins.a,
            "dqm": pins.dqm,
        }
        for name, value in outputs.items():
            buffer = io.FFBuffer("o", getattr(ports, name))
            m.submodules[name] = buffer
            m.d.comb += buffer.o.eq(value)
        m.submodules.clk = clk = io.DDRBuffer("o", ports.clk, o_domain=self.clock_domain)
        m.d.comb += [clk.o[0].eq(1), clk.o[1].eq(0)]
        m.submodules.dq = dq = io.FFBuffer("io", ports.dq)
        m.d.comb += [dq.o.eq(pins.dq_o), dq.oe.eq(pins.dq_oe), pins.dq_i.eq(dq.i)]
        return m
