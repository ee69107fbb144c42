"""An SDR SDRAM that answers as one does, and says what was done that its data sheet forbids.

It knows the rules in nanoseconds, by itself: nothing of it comes from the controller. The same
checks, with the same words, stand in firmware_images/gateware/simulation/sdram_chip.h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from edge_sdk.firmware_images.gateware.memory.chip import Chip

NEVER = -1e18
SLACK = 1e-3
"""Nanoseconds that rounding may take."""


@dataclass(frozen=True)
class Pins:
    """One clock of the pins, as the chip sees them at its rising edge; active high."""

    cke: int
    cs: int
    ras: int
    cas: int
    we: int
    ba: int
    a: int
    dqm: int
    dq: int
    oe: int


@dataclass
class Bank:
    row: int | None = None
    activated: float = NEVER
    precharged: float = NEVER
    written: float = NEVER


@dataclass
class SdramChip:
    """`step` once a clock with the pins of that clock; it gives what the next clock finds on DQ.

    None: the chip does not drive. Reading what was never written gives 0. `violation` keeps the
    first thing that was wrong; the chip goes on as if it had been right.
    """

    chip: Chip
    clock_hz: float
    cycle: int = 0
    refreshes: int = 0
    cas: int = 0
    storage: dict[int, int] = field(default_factory=dict)
    violation: str = ""

    def __post_init__(self) -> None:
        self.banks = [Bank() for _ in range(1 << self.chip.bank_bits)]
        self.period = 1e9 / self.clock_hz
        self.activated = self.refreshed = self.mode_set = NEVER
        self.refresh_start = 0.0
        self.coming: list[int | None] = [None] * 4
        self.driven: int | None = None

    @property
    def now(self) -> float:
        return self.cycle * self.period

    def fail(self, what: str) -> None:
        self.violation = self.violation or f"clock {self.cycle}: {what}"

    def after(self, since: float, least: float, name: str) -> None:
        if self.now - since < least - SLACK:
            clocks = math.ceil((least - SLACK) / self.period)
            self.fail(f"{name}: {round((self.now - since) / self.period)} clocks, not {clocks}")

    def step(self, pins: Pins) -> int | None:
        if self.driven is not None and pins.oe:
            self.fail("both sides drive DQ")
        code = (pins.ras, pins.cas, pins.we) if pins.cs and pins.cke else (0, 0, 0)
        if any(code):
            self.command(code, pins)
        late = (self.refreshes + 9) * self.chip.refresh_interval
        if self.cas and self.now - self.refresh_start >= late:
            self.fail("more than 8 refreshes put off")
        self.cycle += 1
        self.driven = self.coming.pop(0)
        self.coming.append(None)
        return self.driven

    def command(self, code: tuple[int, int, int], pins: Pins) -> None:
        self.after(0.0, self.chip.power_up, "power up")
        self.after(self.refreshed, self.chip.t_rfc, "tRFC")
        self.after(self.mode_set, self.chip.t_mrd, "tMRD")
        bank = self.banks[pins.ba]
        match code:
            case (1, 0, 1):
                for each in self.banks if pins.a >> 10 & 1 else [bank]:
                    self.precharge(each)
            case (1, 1, 0):
                self.all_idle("REFRESH")
                self.refreshed = self.now
                self.refreshes += 1
            case (1, 1, 1):
                self.set_mode(pins.a)
            case (1, 0, 0):
                self.activate(bank, pins.a)
            case (0, 1, _):
                self.transfer(bank, pins)
            case _:
                self.fail("BURST TERMINATE is not a command for single words")

    def precharge(self, bank: Bank) -> None:
        if bank.row is None:
            return
        self.after(bank.activated, self.chip.t_ras, "tRAS")
        self.after(bank.written, self.chip.t_wr, "tWR")
        bank.row = None
        bank.precharged = self.now

    def all_idle(self, name: str) -> None:
        for bank in self.banks:
            if bank.row is not None:
                self.fail(f"{name} with an open row")
            self.after(bank.precharged, self.chip.t_rp, "tRP")

    def set_mode(self, a: int) -> None:
        self.all_idle("MODE")
        if self.refreshes < 2:
            self.fail("MODE before two refreshes")
        if a & ~0x70:
            self.fail("MODE asks for more than single words")
        if not self.chip.cas <= a >> 4 <= 3:
            self.fail(f"CAS latency {a >> 4}, not {self.chip.cas} to 3")
        self.cas = a >> 4 & 3
        self.mode_set = self.refresh_start = self.now
        self.refreshes = 0

    def activate(self, bank: Bank, a: int) -> None:
        if not self.cas:
            self.fail("ACTIVATE before MODE")
        if bank.row is not None:
            self.fail("ACTIVATE of an open bank")
        self.after(bank.precharged, self.chip.t_rp, "tRP")
        self.after(bank.activated, self.chip.t_rc, "tRC")
        self.after(self.activated, self.chip.t_rrd, "tRRD")
        bank.row = a & (1 << self.chip.row_bits) - 1
        bank.activated = self.activated = self.now

    def transfer(self, bank: Bank, pins: Pins) -> None:
        name = "WRITE" if pins.we else "READ"
        if bank.row is None:
            self.fail(f"{name} without an open row")
            return
        self.after(bank.activated, self.chip.t_rcd, "tRCD")
        if pins.a >> 10:
            self.fail(f"{name} with auto precharge")
        if pins.dqm:
            self.fail(f"{name} with DQM")
        if pins.oe != pins.we:
            self.fail(f"{name} with DQ turned the wrong way")
        column = pins.a & (1 << self.chip.column_bits) - 1
        address = bank.row << self.chip.bank_bits | pins.ba
        address = address << self.chip.column_bits | column
        if pins.we:
            self.storage[address] = pins.dq
            bank.written = self.now
        elif self.cas:
            self.coming[self.cas - 1] = self.storage.get(address, 0)


async def attach(
    ctx: Any,
    pins: Any,
    model: SdramChip,
    trace: list[Pins] | None = None,
    round_trip: int = 0,
) -> None:
    """The process that is the chip at the pins of a simulated controller.

    `trace` collects what the chip sees; `round_trip` clocks are lost in registers on the way.
    """
    names = ("cke", "cs", "ras", "cas", "we", "ba", "a", "dqm", "dq_o", "dq_oe")
    garbage = 0x5A
    underway = [Pins(*([0] * len(names)))] * round_trip
    ports = [getattr(pins, name) for name in names]
    mask = (1 << model.chip.bits) - 1
    async for _, _, *values in ctx.tick().sample(*ports):
        underway.append(Pins(*values))
        seen = underway.pop(0)
        if trace is not None:
            trace.append(seen)
        word = model.step(seen)
        garbage = garbage * 1103515245 + 12345 & 0xFFFFFFFF
        ctx.set(pins.dq_i, garbage & mask if word is None else word)
