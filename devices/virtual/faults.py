"""A bad cable: frames dropped, doubled, swapped, delayed, cut short; bits flipped.

It knows stretches of bytes between zeros; it does not know what they mean.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, fields

from edge_sdk.errors import UsageError

_STRETCH = re.compile(rb"[^\0]*\0|[^\0]+")
DELAY_SECONDS = 0.4
"""Longer than a host waits before it repeats."""


@dataclass(frozen=True)
class Rates:
    """How often each fault happens to a stretch: 0 never, 1 always."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """It arrives after the one behind it."""
    flip: float = 0.0
    """One bit of it is wrong."""
    truncate: float = 0.0
    """Its end is lost, delimiter included."""
    delay: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Rates:
        """ "drop=0.01,flip=0.02" or "all=0.01"; raises UsageError."""
        names = [field.name for field in fields(cls)]
        rates: dict[str, float] = {}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            try:
                rate = float(value)
            except ValueError:
                rate = -1.0
            if name not in (*names, "all") or not 0 <= rate <= 1:
                raise UsageError(
                    f"{part!r} is no fault; expected a name ({', '.join(names)}, all) and a rate "
                    "from 0 to 1.",
                    hint="for example drop=0.01,flip=0.01.",
                )
            rates |= dict.fromkeys(names, rate) if name == "all" else {name: rate}
        return cls(**rates)

    @property
    def any(self) -> bool:
        """Whether there is any fault at all."""
        return any(getattr(self, field.name) for field in fields(self))


class Faults:
    """One direction of a bad cable; the same seed gives the same faults."""

    def __init__(self, rates: Rates, seed: int) -> None:
        self.injected = 0
        """Faults so far."""
        self._rates = rates
        self._random = random.Random(seed)
        self._late: bytes = b""
        self._held: list[tuple[float, bytes]] = []

    def carry(self, data: bytes, now: float) -> bytes:
        """What arrives of `data` at `now` (seconds), with what was delayed until now."""
        out = bytearray(self.due(now))
        for stretch in _STRETCH.findall(data) if self._rates.any else [data]:
            out += self._one(stretch, now)
        return bytes(out)

    def due(self, now: float) -> bytes:
        """What was delayed and arrives by `now`."""
        if not self._held:
            return b""
        ready = b"".join(data for when, data in self._held if when <= now)
        self._held = [(when, data) for when, data in self._held if when > now]
        return ready

    def _one(self, stretch: bytes, now: float) -> bytes:
        late, self._late = self._late, b""
        if self._happens(self._rates.drop):
            stretch = b""
        if stretch and self._happens(self._rates.flip):
            bit = self._random.randrange(8 * len(stretch))
            changed = bytearray(stretch)
            changed[bit // 8] ^= 1 << bit % 8
            stretch = bytes(changed)
        if stretch and self._happens(self._rates.truncate):
            stretch = stretch[: self._random.randrange(len(stretch))]
        if stretch and self._happens(self._rates.duplicate):
            stretch = 2 * stretch
        if stretch and self._happens(self._rates.delay):
            self._held.append((now + self._random.random() * DELAY_SECONDS, stretch))
            stretch = b""
        if stretch and not late and self._happens(self._rates.reorder):
            self._late, stretch = stretch, b""
        return stretch + late

    def _happens(self, rate: float) -> bool:
        # No draw for a fault that never happens, so that the others stay the same.
        if rate and self._random.random() < rate:
            self.injected += 1
            return True
        return False
