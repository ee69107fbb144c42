"""Whether a prompt of the evaluation, or a close variant of it, stands in training text.

It knows words and their pairs; it does not know models. Two texts are close variants if the sets of
their neighbouring words (bigrams, ends marked) overlap by NEAR or more (Jaccard), after case,
punctuation, short forms and polite words are taken away. A prompt of LONG words or more also counts
as found where it stands inside a longer text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

NEAR = 0.7
LONG = 6
_STATUS = re.compile(r"^\[[^\]\n]*\]\n")
_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?")
_SHORT = (
    ("what's", "what is"), ("who's", "who is"), ("how's", "how is"), ("where's", "where is"),
    ("let's", "let us"), ("i'm", "i am"), ("it's", "it is"), ("you're", "you are"),
    ("can't", "cannot"), ("don't", "do not"), ("isn't", "is not"), ("i'd", "i would"),
)  # fmt: skip
_POLITE = frozenset({"please", "hey", "ok", "okay", "so", "um", "well", "tern", "thanks"})


@dataclass(frozen=True)
class Found:
    """A prompt, a training text that is too like it, and how like (1: the same)."""

    prompt: str
    text: str
    likeness: float


@dataclass
class Report:
    """What a whole check saw."""

    prompts: int = 0
    texts: int = 0
    found: list[Found] = field(default_factory=list)
    nearest: float = 0.0
    """The largest likeness below NEAR."""


class Prompts:
    """An index of prompts that texts are compared with."""

    def __init__(self, prompts: Iterable[str]) -> None:
        self._known: list[tuple[str, tuple[str, ...], frozenset[tuple[str, str]]]] = []
        self._by_pair: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._by_start: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for prompt in dict.fromkeys(prompts):
            words = plain_words(prompt)
            pairs = _pairs(words)
            for pair in pairs:
                self._by_pair[pair].append(len(self._known))
            if len(words) >= LONG:
                self._by_start[words[:LONG]].append(len(self._known))
            self._known.append((prompt, words, pairs))
        self._starts = {words[0] for words in self._by_start}
        # A longer text than this cannot be near any prompt.
        self._most = max((len(pairs) / NEAR for _, _, pairs in self._known), default=0.0)
        self._seen: set[str] = set()
        self._like: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._known)

    def nearest(self, text: str) -> Found | None:
        """The prompt that `text` is most like, or None if it shares no pair of words with any."""
        words = plain_words(text)
        pairs = _pairs(words)
        shared: dict[int, int] = defaultdict(int)
        for pair in pairs:
            for at in self._by_pair.get(pair, ()):
                shared[at] += 1
        best = max(shared, key=lambda at: self._likeness(at, shared[at], pairs), default=None)
        if best is None:
            return None
        return Found(self._known[best][0], text, self._likeness(best, shared[best], pairs))

    def likeness(self, text: str) -> float:
        """How like the nearest prompt `text` is; remembered, as chats repeat each other."""
        text = _STATUS.sub("", text)
        if text.count(" ") >= self._most:
            return 0.0
        if text not in self._like:
            found = self.nearest(text)
            self._like[text] = found.likeness if found else 0.0
        return self._like[text]

    def inside(self, text: str) -> Found | None:
        """A long prompt that stands word for word in `text`, or None."""
        words = plain_words(text)
        for start in range(len(words) - LONG + 1):
            if words[start] not in self._starts:
                continue
            for at in self._by_start.get(words[start : start + LONG], ()):
                prompt, own, _ = self._known[at]
                if words[start : start + len(own)] == own:
                    return Found(prompt, text, 1.0)
        return None

    def clashes(self, parts: Sequence[str], *, chat: bool) -> Found | None:
        """The first clash of a document: a user's turn that is a variant, or a prompt inside."""
        for at, part in enumerate(parts):
            asked = chat and at % 2 == 0
            if asked:
                part = _STATUS.sub("", part)
            key = f"{asked}{part}" if len(part) < 200 else ""
            if key and key in self._seen:
                continue
            found = self.nearest(part) if asked and part.count(" ") < self._most else None
            if found is not None and found.likeness >= NEAR:
                return found
            inside = self.inside(part)
            if inside is not None:
                return inside
            if key:
                self._seen.add(key)
        return None

    def _likeness(self, at: int, shared: int, pairs: frozenset[tuple[str, str]]) -> float:
        return shared / (len(self._known[at][2]) + len(pairs) - shared)


def plain_words(text: str) -> tuple[str, ...]:
    """Words in small letters; without a status line, short forms and polite words."""
    text = _STATUS.sub("", text).lower()
    if "'" in text:
        for short, full in _SHORT:
            text = text.replace(short, full)
    return tuple(word for word in _WORD.findall(text) if word not in _POLITE)


def check(prompts: Prompts, documents: Iterable[tuple[Sequence[str], bool]]) -> Report:
    """Compare all documents (parts, whether they are a chat) with all prompts."""
    report = Report(prompts=len(prompts))
    for parts, chat in documents:
        report.texts += len(parts)
        found = prompts.clashes(parts, chat=chat)
        if found is not None:
            report.found.append(found)
            continue
        if chat:
            near = [prompts.likeness(part) for part in parts[::2]]
            report.nearest = max([report.nearest, *near])
    return report


def _pairs(words: Sequence[str]) -> frozenset[tuple[str, str]]:
    marked = ["^", *words, "$"]
    return frozenset(pairwise(marked)) if words else frozenset()
