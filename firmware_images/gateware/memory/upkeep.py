"""What an SDRAM needs to keep its contents: the start after power up, and refreshes.

It knows when they are due and their commands; it does not know what else the chip is used for.
"""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.gateware.memory.chip import Chip, Clocks
from edge_sdk.firmware_images.gateware.memory.command import PRECHARGE_ALL, Code, layout, mode

START_REFRESHES = 8
"""Before the mode register is written."""
MOST_POSTPONED = 8
"""Refreshes that a chip lets a controller put off."""


class Upkeep(wiring.Component):
    """Takes the chip (`owns`) at once at the start, later for some refreshes at a time.

    Refreshes are put off while the chip is in use, until `batch` of them are due: closing and
    opening rows again costs as much as one or two of them. When the chip is not in use, each
    comes when it is due. When `owns` falls all banks are precharged and any command may follow.

    in_use: someone would rather not be stopped. may_close: PRECHARGE of all banks is allowed.
    ready: the start is over. refresh: for one cycle with each REFRESH.
    """

    def __init__(self, chip: Chip, clocks: Clocks, batch: int) -> None:
        if not 1 <= batch <= MOST_POSTPONED // 2:
            raise ValueError(f"1 to {MOST_POSTPONED // 2} refreshes at a time, not {batch}")
        self.chip = chip
        self.clocks = clocks
        self.batch = batch
        super().__init__(
            {
                "in_use": In(1),
                "may_close": In(1),
                "owns": Out(1),
                "ready": Out(1),
                "refresh": Out(1),
                "command": Out(layout(chip)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One timer is the wait after each command, and before the first one."""
        m = Module()
        clocks = self.clocks
        timer = Signal(range(clocks.power_up + 1), init=clocks.power_up)
        interval = Signal(range(clocks.refresh_interval))
        due = Signal(range(2 * MOST_POSTPONED), init=START_REFRESHES)
        tick = Signal()
        now = Signal()

        m.d.comb += [
            now.eq(timer == 0),
            tick.eq(interval == 0),
            self.owns.eq(1),
            self.refresh.eq(self.command.code == Code.REFRESH),
        ]
        with m.If(~now):
            m.d.sync += timer.eq(timer - 1)
        with m.If(tick):
            m.d.sync += interval.eq(clocks.refresh_interval - 1)
        with m.Elif(self.ready):
            m.d.sync += interval.eq(interval - 1)
        with m.If(tick & self.ready & ~self.refresh):
            m.d.sync += due.eq(due + 1)
        with m.Elif(self.refresh & ~(tick & self.ready)):
            m.d.sync += due.eq(due - 1)

        with m.FSM():
            with m.State("CLOSE"), m.If(now & self.may_close):
                m.d.comb += [
                    self.command.code.eq(Code.PRECHARGE),
                    self.command.address.eq(PRECHARGE_ALL),
                ]
                m.d.sync += timer.eq(clocks.rp - 1)
                m.next = "REFRESH"
            with m.State("REFRESH"):
                with m.If(now & (due != 0)):
                    m.d.comb += self.command.code.eq(Code.REFRESH)
                    m.d.sync += timer.eq(clocks.rfc - 1)
                with m.Elif(now & self.ready):
                    m.next = "RUN"
                with m.Elif(now):
                    m.next = "MODE"
            with m.State("MODE"):
                m.d.comb += [
                    self.command.code.eq(Code.MODE),
                    self.command.address.eq(mode(self.chip)),
                ]
                m.d.sync += [timer.eq(clocks.mrd - 1), self.ready.eq(1)]
                m.next = "REFRESH"
            with m.State("RUN"):
                m.d.comb += self.owns.eq(0)
                with m.If((due >= self.batch) | ((due != 0) & ~self.in_use)):
                    m.next = "CLOSE"
        return m
