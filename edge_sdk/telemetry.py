"""Readings of power, memory and temperature, each with where it comes from.

It knows what a reading is and how energy is summed; it does not know any sensor.
Unknown is `None` with a reason, never zero and never a guess.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Protocol


class Provenance(StrEnum):
    """How far a figure can be trusted, best first."""

    MEASURED = "measured"
    """A sensor's own value."""
    DERIVED = "derived"
    """Computed from measured values: volts times amperes, joules over seconds."""
    ESTIMATED = "estimated"
    """A model's value; always shown with a mark."""
    UNAVAILABLE = "unavailable"
    """No figure; `reason` and `remedy` say why and what would help."""

    @property
    def sign(self) -> str:
        """A mark to put before a figure, so that colour is never the only difference."""
        return {"measured": "", "derived": "", "estimated": "≈", "unavailable": "–"}[self.value]


@dataclass(frozen=True)
class Reading:
    """One figure at one moment."""

    value: float | None
    unit: str
    """`W`, `J`, `B`, `°C`, `%`, `tok/s`, `J/token`."""
    provenance: Provenance
    source: str
    """The sensor or the method, e.g. "RAPL package-0"."""
    scope: str = "device"
    """What it covers: `rail`, `package`, `board`, `device`, `process`, `machine`."""
    reason: str | None = None
    remedy: str | None = None
    timestamp: float = field(default_factory=time.monotonic)
    """Seconds on the monotonic clock."""
    period: float | None = None
    """Seconds that the figure is averaged over; None for an instant."""

    @classmethod
    def unavailable(cls, unit: str, source: str, reason: str, remedy: str) -> Reading:
        """A reading that cannot be had, with why and what would help."""
        return cls(None, unit, Provenance.UNAVAILABLE, source, reason=reason, remedy=remedy)

    @property
    def available(self) -> bool:
        """Whether there is a figure."""
        return self.value is not None

    def to_json(self) -> dict[str, object]:
        """The reading as `--json` prints it."""
        return asdict(self) | {"provenance": self.provenance.value}


@dataclass(frozen=True)
class Telemetry:
    """What a device tells about itself now, by name (`power`, `memory`, `temperature`, ...)."""

    readings: dict[str, Reading]

    def __getitem__(self, name: str) -> Reading:
        return self.readings[name]

    def to_json(self) -> dict[str, object]:
        """The readings as `--json` prints them."""
        return {name: reading.to_json() for name, reading in self.readings.items()}


class PowerSource(Protocol):
    """One way to read power: one file in devices/power."""

    name: str

    def read(self) -> Reading:
        """Watts now, or since the last call; must not raise."""


@dataclass
class EnergyMeter:
    """Sums power readings into joules (trapezoids over their timestamps).

    The sum inherits the weakest provenance of its readings; one gap makes it unavailable.
    """

    joules: float = 0.0
    provenance: Provenance = Provenance.MEASURED
    source: str = ""
    gap: Reading | None = None
    _last: Reading | None = None
    _seconds: float = 0.0
    """That the readings span."""

    @classmethod
    def of(cls, total: Reading) -> EnergyMeter:
        """A finished meter whose total is `total` (J)."""
        if total.value is None:
            return cls(source=total.source, gap=total)
        return cls(total.value, total.provenance, total.source, _last=total, _seconds=1.0)

    def add(self, reading: Reading) -> None:
        """Take the next power reading (W)."""
        self.source = reading.source
        if reading.value is None:
            self.gap = reading
        elif self._last is not None and self._last.value is not None:
            seconds = reading.timestamp - self._last.timestamp
            self._seconds += seconds
            self.joules += seconds * (reading.value + self._last.value) / 2
            self.provenance = max(
                Provenance.DERIVED, self.provenance, reading.provenance, key=_weakness
            )
        self._last = reading

    def total(self) -> Reading:
        """Joules so far, or unavailable with the reason of the first gap."""
        if self.gap is not None:
            gap = self.gap
            return Reading.unavailable("J", gap.source, gap.reason or "", gap.remedy or "")
        if self._last is None:
            return Reading.unavailable(
                "J", self.source, "no power reading was taken", "read power while the model runs."
            )
        if self._seconds <= 0:
            # One reading says nothing of a stretch of time: that is unknown, not zero.
            return Reading.unavailable(
                "J",
                self.source,
                "it was over before the sensor had a second reading",
                "ask for a longer answer.",
            )
        return Reading(self.joules, "J", self.provenance, self.source)

    def per_token(self, tokens: int) -> Reading:
        """Joules a token over the same interval, idle power included."""
        total = self.total()
        if total.value is None or tokens < 1:
            return Reading.unavailable(
                "J/token",
                total.source,
                total.reason or "no token was produced",
                total.remedy or "ask something first.",
            )
        return Reading(total.value / tokens, "J/token", total.provenance, total.source)


def _weakness(provenance: Provenance) -> int:
    return list(Provenance).index(provenance)
