"""The ways in which people type what they say.

It knows frames, spelling and marks; it does not know what is said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from edge_sdk.training.generators import wrapping
from edge_sdk.training.generators.grammar import expand, listed, lower_first, pick, with_article

__all__ = ["ask", "expand", "listed", "lower_first", "pick", "rough", "with_article"]

_SMALL_WORD = re.compile(r"\b[a-z]{3,}\b")
_LEADS = ("hey, ", "ok, ", "so, ", "um, ", "well, ", "and ", "tern, ")
_ASKING_LEADS = (*_LEADS, "please ", "quick question: ")
_SHORT_FORMS = (
    ("what is", "what's"),
    ("What is", "What's"),
    ("how is", "how's"),
    ("who is", "who's"),
    ("where is", "where's"),
    ("do not", "don't"),
    ("I am", "I'm"),
    ("can not", "can't"),
    ("cannot", "can't"),
    ("you are", "you're"),
)


def ask(templates: Sequence[str], rng: Random, **slots: str) -> str:
    """`pick` for a user's turn: as people type, often in small letters or without a mark."""
    return rough(pick(templates, rng, **slots), rng, kept=tuple(slots.values()))


def rough(text: str, rng: Random, kept: Sequence[str] = ()) -> str:
    """A user's turn as typed: frame, word order, case, punctuation, short forms, rarely a slip.

    kept: parts without slips, because the answer holds them too.
    """
    asks = text.endswith("?")
    if rng.random() < 0.3:
        text = wrapping.recast(text, rng, kept)
    if rng.random() < 0.25:
        text = wrapping.reword(text, rng, kept)
    if rng.random() < 0.05:
        text = _slip(text, rng, kept)
    if rng.random() < 0.08:
        text = wrapping.shorten(text, rng, kept)
    if asks and rng.random() < 0.25:
        text = wrapping.surround(text, rng, kept)
    elif not asks and re.fullmatch(r"[^.?!]{8,70}\.", text) and rng.random() < 0.15:
        text = wrapping.remark(text, rng, kept)
    if rng.random() < 0.3:
        for full, short in _SHORT_FORMS:
            text = text.replace(full, short)
    if rng.random() < 0.06 and len(text) > 8:
        text = rng.choice(_ASKING_LEADS if asks else _LEADS) + lower_first(text)
        text = text[:1].upper() + text[1:]
    if rng.random() < 0.35:
        text = text.lower()
    if rng.random() < 0.3:
        text = text.rstrip(".?!") or text
    elif text.endswith(".") and rng.random() < 0.08:
        text = text[:-1] + "!"
    return text.strip()


def _slip(text: str, rng: Random, kept: Sequence[str]) -> str:
    """Two neighbouring letters swapped, or one left out; not in names and not in `kept`."""
    spared = {
        at
        for part in kept
        for found in re.finditer(re.escape(part), text)
        for at in range(*found.span())
    }
    places = [
        at
        for word in _SMALL_WORD.finditer(text)
        for at in range(word.start() + 1, word.end() - 1)
        if not {at, at + 1} & spared
    ]
    if not places:
        return text
    at = rng.choice(places)
    put = text[at + 1] + text[at] if rng.random() < 0.5 else text[at + 1]
    return text[:at] + put + text[at + 2 :]
