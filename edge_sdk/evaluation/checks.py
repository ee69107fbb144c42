"""Exact checks of an answer: what it has to hold, what it must not, and how it ends.

It knows text and numbers; it does not know models or prompts.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[a-z0-9']+")
REFUSAL = re.compile(
    r"can't|cannot|can not|don't know|do not know|not sure|no idea|don't have|do not have|"
    r"not among|rather not|never learned|no (?:\w+ )?reading|unable|too hard|beyond me|"
    r"nobody knows|too small|only (?:write|chat|talk)|not something i can|haven't told|"
    r"have not told|sorry",
    re.IGNORECASE,
)
"""An honest "I don't know" or "I can't"."""


@dataclass(frozen=True)
class Check:
    """What an answer has to be; every condition that is set must hold."""

    wants: str = ""
    """A regular expression that it must match."""
    bars: str = ""
    """One that it must not match."""
    figures: tuple[str, ...] = ()
    """Numbers or words that it must hold, as they are spelt."""
    verdict: str = ""
    """`yes` or `no`: the word that it must begin with."""
    refuses: bool = False
    """It must be an honest refusal."""
    known: tuple[str, ...] = ()
    """Where it refuses: the only numbers that it may hold."""
    words: tuple[int, int] = (1, 120)
    """Least and most words."""
    dialogue: bool = False
    """A story: it must have several sentences."""

    def fault(self, answer: str, *, stopped: bool) -> str:
        """Why the answer fails, or "" if it passes."""
        words = _WORD.findall(answer.lower())
        least, most = self.words
        lower = answer.lower()
        faults = (
            ("it did not end by itself", not stopped),
            (f"it has {len(words)} words, not {least} to {most}", not least <= len(words) <= most),
            ("it repeats itself", repeats(words)),
            (f"it does not match {self.wants!r}", not re.search(self.wants, answer, re.IGNORECASE)),
            (f"it matches {self.bars!r}", bool(self.bars and re.search(self.bars, lower))),
            (f"it lacks {self.figures!r}", not holds(answer, self.figures)),
            (f"its verdict is not {self.verdict!r}", not _agrees(lower, self.verdict)),
            ("it does not say that it can't know", self.refuses and not REFUSAL.search(answer)),
            ("it invents a figure", self.refuses and bool(invented(answer, self.known))),
            ("it is no story", self.dialogue and len(re.findall(r"[.!?]", answer)) < 3),
        )
        return next((fault for fault, holds_ in faults if holds_), "")


def numbers(text: str) -> list[str]:
    """Every number in `text`, as it is spelt."""
    return _NUMBER.findall(text)


def invented(answer: str, *sources: str | tuple[str, ...]) -> list[str]:
    """Numbers of the answer that are in none of the sources; 8.0 and 8 are the same number."""
    given = {
        float(number)
        for source in sources
        for text in ((source,) if isinstance(source, str) else source)
        for number in numbers(text)
    }
    return [number for number in numbers(answer) if float(number) not in given]


def holds(answer: str, figures: tuple[str, ...]) -> bool:
    """Whether every figure is there as a whole number or word."""
    lower = answer.lower()
    return all(
        re.search(rf"(?<![\w.]){re.escape(figure.lower())}(?![\w]|\.\d)", lower)
        for figure in figures
    )


def repeats(words: list[str]) -> bool:
    """Whether a run of four words is there four times: a loop."""
    runs = Counter(tuple(words[at : at + 4]) for at in range(len(words) - 3))
    return bool(runs) and max(runs.values()) >= 4


def _agrees(answer: str, verdict: str) -> bool:
    if not verdict:
        return True
    said = re.match(r"\W*(yes|no)\b", answer)
    return said is not None and said[1] == verdict
