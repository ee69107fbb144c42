"""What an answer cost: tokens, seconds, joules.

It knows how the figures are taken and kept; it does not know text or sensors.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from edge_sdk.generation import StopReason
from edge_sdk.telemetry import EnergyMeter, Reading

POWER_PERIOD = 0.2
"""Least seconds between two readings of power while an answer is written."""


@dataclass
class ChatStats:
    """The figures of one answer; they grow while it is written and may be read meanwhile.

    Times are seconds of the model's work, 0.0 before there is any; what the reader of the answer
    does between two pieces does not count. The energy covers all of that time, idle power too.
    """

    context_limit: int
    """Tokens after which the oldest turns are left out; the state itself has no limit."""
    context_used: int = 0
    """Tokens that the state has taken in."""
    context_trimmed: int = 0
    """Oldest turns that the model no longer knows, because they were left out."""
    prompt_tokens: int = 0
    """Tokens fed for the question, template included."""
    kept_tokens: int = 0
    """Tokens fed for a part of the answer that was there before."""
    answer_tokens: int = 0
    """Tokens that were generated."""
    prefill_seconds: float = 0.0
    """Time to feed the question."""
    decode_seconds: float = 0.0
    """Time to generate the answer's tokens."""
    first_token_seconds: float = 0.0
    """From the start of the work to the first token of the answer."""
    stop_reason: StopReason | None = None
    """Why the answer ended; None while it is written."""
    meter: EnergyMeter = field(default_factory=EnergyMeter, repr=False)

    @property
    def tokens_per_second(self) -> float:
        """Answer tokens a second, the question's time left out; 0.0 before there is any."""
        return self.answer_tokens / self.decode_seconds if self.decode_seconds else 0.0

    @property
    def prefill_tokens_per_second(self) -> float:
        """Tokens fed before the answer a second; 0.0 before there is any."""
        fed = self.prompt_tokens + self.kept_tokens
        return fed / self.prefill_seconds if self.prefill_seconds else 0.0

    @property
    def energy(self) -> Reading:
        """Joules for question and answer, or why they are not known."""
        return self.meter.total()

    @property
    def joules_per_token(self) -> Reading:
        """Joules for question and answer by the number of answer tokens."""
        return self.meter.per_token(self.answer_tokens)


class PowerPoll:
    """Feeds a meter from a source of power, at most every POWER_PERIOD seconds."""

    def __init__(self, source: Callable[[], Reading], meter: EnergyMeter) -> None:
        self._source = source
        self._meter = meter
        self._last = -POWER_PERIOD

    def poll(self, *, now: bool = False) -> None:
        """Take a reading if it is time for one, or in any case with `now`."""
        moment = time.monotonic()
        if now or moment - self._last >= POWER_PERIOD:
            self._last = moment
            self._meter.add(self._source())
