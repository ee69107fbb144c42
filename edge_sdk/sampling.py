"""Which of the scored candidates becomes the next token.

It knows logits and probabilities; it does not know text, sessions or devices.

The order of the filters, each working on what the one before left:

    1. repetition penalty   on the logits of recent ids (Keskar et al. 2019, arXiv 1909.05858)
    2. temperature          logits / temperature; 0 takes the largest and ends here
    3. top_k                the k largest; ties by the lowest id
    4. top_p                the fewest, largest first, whose probabilities sum to p
    5. min_p                those with at least min_p times the largest probability
    6. one draw             by the probabilities of what is left
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge_sdk.device import Candidates
from edge_sdk.errors import UsageError, VerifyFailed

Floats = npt.NDArray[np.floating]
Ids = npt.NDArray[np.integer]

_GROUP = 64
"""Logits of which one maximum stands for all where the largest are looked for."""


@dataclass(frozen=True)
class Sampler:
    """The settings of a choice, and the stream of random numbers that it draws from.

    The stream goes on from call to call, so that a second answer differs from the first. A new
    Sampler with the same seed (`dataclasses.replace(sampler)`) picks the same tokens again.
    Raises UsageError for a setting out of range.
    """

    temperature: float = 0.7
    """0 is greedy: always the largest logit."""
    top_k: int = 40
    """How many candidates stay; 0 keeps all."""
    top_p: float = 0.95
    """From above 0 to 1, which keeps all."""
    min_p: float = 0.0
    """From 0, which keeps all, to below 1."""
    repetition_penalty: float = 1.0
    """1 is none; above 1 makes recent ids less likely."""
    repetition_window: int = 64
    """How many of the last ids count as recent."""
    seed: int | None = None
    """None draws differently in each process."""
    _random: np.random.PCG64 = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _number("temperature", self.temperature, lambda value: 0 <= value <= 100, "0 to 100")
        _number("top_p", self.top_p, lambda value: 0 < value <= 1, "above 0 to 1")
        _number("min_p", self.min_p, lambda value: 0 <= value < 1, "0 to below 1")
        penalty = self.repetition_penalty
        _number("repetition_penalty", penalty, lambda value: 0.1 <= value <= 10, "0.1 to 10")
        _whole("top_k", self.top_k)
        _whole("repetition_window", self.repetition_window)
        if self.seed is not None:
            _whole("seed", self.seed)
        # The raw stream of PCG64 is the same in every release of NumPy (NEP 19).
        object.__setattr__(self, "_random", np.random.PCG64(self.seed))

    def pick(self, candidates: Candidates, recent: Sequence[int] = ()) -> int:
        """One id out of `candidates` (all V of them, or the k that a board returns).

        recent: the ids before, oldest first; only the last `repetition_window` count. Raises
        VerifyFailed for logits that are no numbers: NaN, +inf, none at all, or all -inf.
        """
        ids, logits = _checked(candidates)
        if self.repetition_penalty != 1.0 and self.repetition_window and len(recent):
            window = np.asarray(recent[-self.repetition_window :], dtype=np.int64)
            logits = _penalised(ids, logits, window, self.repetition_penalty)
        if self.temperature == 0:
            return int(ids[logits == logits.max()].min())
        ids, largest = _largest(ids, logits, self.top_k)
        logits = largest.astype(np.float64)
        # A temperature close to 0 makes -inf out of all but the largest, which is right.
        with np.errstate(over="ignore"):
            scaled = (logits - logits[0]) / self.temperature
        chances = np.exp(scaled)
        chances /= chances.sum()
        if self.top_p < 1:
            before = np.cumsum(chances) - chances
            # Never less than one: nothing is before the first.
            chances = chances[before < self.top_p]
        chances = chances[chances >= self.min_p * chances[0]]
        steps = np.cumsum(chances)
        uniform = (int(self._random.random_raw()) >> 11) * 2.0**-53
        drawn = int(np.searchsorted(steps, uniform * steps[-1], side="right"))
        return int(ids[min(drawn, len(steps) - 1)])


Sampling = Sampler
"""The name for applications: `generate(session, ids, sampling=Sampling(temperature=0.0))`."""


def _checked(candidates: Candidates) -> tuple[Ids, Floats]:
    # As the device gave them: converting all of a large vocabulary takes longer than the choice.
    ids, logits = np.asarray(candidates.ids), np.asarray(candidates.logits)
    if ids.ndim != 1 or ids.shape != logits.shape or not ids.size:
        raise _broken(f"{ids.size} ids came with {logits.size} logits")
    best = logits.max()
    # The maximum of anything with a NaN is NaN.
    if not math.isfinite(best):
        raise _broken(f"the largest logit is {best}")
    return ids, logits


def _penalised(ids: Ids, logits: Floats, recent: Ids, penalty: float) -> Floats:
    logits = logits.astype(np.float64)
    lowered = np.where(logits > 0, logits / penalty, logits * penalty)
    return np.where(np.isin(ids, recent), lowered, logits)


def _largest(ids: Ids, logits: Floats, count: int) -> tuple[Ids, Floats]:
    """The `count` largest, largest first; equal ones by the lowest id. 0 means all."""
    if 0 < count < logits.size:
        # Few first: sorting 32,000 logits for each token would be felt.
        kept = np.flatnonzero(logits >= _reached(logits, count))
        ids, logits = ids[kept], logits[kept]
    order = np.lexsort((ids, -logits))[: count or None]
    return ids[order], logits[order]


def _reached(logits: Floats, count: int) -> np.floating:
    """A value that at least `count` logits reach, and few more.

    It is the `count`-th largest of the maxima of groups of logits, so `count` groups have one: much
    faster than the `count`-th largest logit itself.
    """
    groups = logits.size // _GROUP
    if groups < 2 * count:
        tops = logits
    else:
        tops = logits[: groups * _GROUP].reshape(_GROUP, groups).max(axis=0)
    threshold: np.floating = np.partition(tops, -count)[-count]
    return threshold


def _number(name: str, value: object, fits: Callable[[float], bool], expected: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not fits(value):
        raise _off(name, value, f"a number from {expected}")


def _whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _off(name, value, "a whole number, 0 or more")


def _off(name: str, value: object, expected: str) -> UsageError:
    return UsageError(
        f"{name} is {value!r}; expected {expected}.",
        hint="leave it out to use the default.",
    )


def _broken(detail: str) -> VerifyFailed:
    return VerifyFailed(
        f"the device returned no usable scores: {detail}; expected finite logits.",
        hint="load the model again; if it persists, the model file or the device is faulty.",
    )
