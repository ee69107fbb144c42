"""The clocks of an ECP5: the design's, and the memory chip's, which is the same, shifted.

It knows the PLL's dividers and phases; it does not know boards.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Instance, Module, Signal
from amaranth.lib.cdc import ResetSynchronizer

VCO_MIN, VCO_MAX = 400_000_000, 800_000_000
MEMORY = "memory"
"""The clock domain of the memory chip's pin."""


@dataclass(frozen=True)
class Dividers:
    """clock = input / reference * feedback; VCO = clock * output."""

    reference: int
    feedback: int
    output: int

    @classmethod
    def of(cls, input_hz: int, clock_hz: int) -> Dividers:
        """Those with the highest VCO frequency; raises ValueError if there are none."""
        for output in range(128, 0, -1):
            if not VCO_MIN <= clock_hz * output <= VCO_MAX:
                continue
            for reference in range(1, 9):
                feedback, rest = divmod(clock_hz * reference, input_hz)
                if not rest and 1 <= feedback <= 80:
                    return cls(reference, feedback, output)
        raise ValueError(f"no PLL setting makes {clock_hz} Hz of {input_hz} Hz")

    def phase(self, degrees: float) -> tuple[int, int]:
        """CPHASE and FPHASE (eighths) of an output that is so late."""
        eighths = round(degrees / 360 * self.output * 8)
        return self.output - 1 + eighths // 8, eighths % 8


def add_domains(m: Module) -> None:
    """The two clock domains, in the module that everything is part of."""
    m.domains.sync = ClockDomain()
    m.domains += ClockDomain(MEMORY, reset_less=True)


class Ecp5Clock(Elaboratable):
    """Drives the domains of `add_domains` from the pin `clock`; reset until the PLL has locked."""

    def __init__(self, clock: Signal, input_hz: int, clock_hz: int, degrees: float) -> None:
        self.clock = clock
        self.dividers = Dividers.of(input_hz, clock_hz)
        self.degrees = degrees

    def elaborate(self, platform: object) -> Module:
        """One PLL, two outputs."""
        m = Module()
        locked = Signal()
        main, late = self.dividers.phase(0), self.dividers.phase(self.degrees)
        m.submodules.pll = Instance(
            "EHXPLLL",
            p_CLKI_DIV=self.dividers.reference,
            p_CLKFB_DIV=self.dividers.feedback,
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=self.dividers.output,
            p_CLKOP_CPHASE=main[0],
            p_CLKOP_FPHASE=main[1],
            p_CLKOS_ENABLE="ENABLED",
            p_CLKOS_DIV=self.dividers.output,
            p_CLKOS_CPHASE=late[0],
            p_CLKOS_FPHASE=late[1],
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            i_CLKI=self.clock,
            i_CLKFB=ClockSignal("sync"),
            o_CLKOP=ClockSignal("sync"),
            o_CLKOS=ClockSignal(MEMORY),
            o_LOCK=locked,
        )
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")
        return m
