"""Counts of what the generators make: documents, tokens, distinct word 5-grams.

It knows words and tokens; it does not know how the text is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from edge_sdk.training.corpus import Document

_WORD = re.compile(r"[a-z0-9']+")
GRAM = 5


@dataclass
class Count:
    """What one source holds."""

    documents: int = 0
    characters: int = 0
    words: int = 0
    tokens: int = 0
    grams: int = 0
    """Word 5-grams."""
    distinct_grams: int = 0
    distinct_answers: int = 0
    """Different answers of chats, or different texts."""


def count(
    documents: Iterable[Document], tokens: Callable[[str], int] | None = None
) -> dict[str, dict[str, Any]]:
    """Counts by source, and `all`; `tokens` tells how many tokens a text has (None: left at 0)."""
    counts: dict[str, Count] = {}
    grams: dict[str, set[int]] = {}
    answers: dict[str, set[str]] = {}
    for document in documents:
        for name in (document.source, "all"):
            own = counts.setdefault(name, Count())
            seen, said = grams.setdefault(name, set()), answers.setdefault(name, set())
            own.documents += 1
            for at, part in enumerate(document.parts):
                own.characters += len(part)
                if at % 2 or not document.chat:
                    said.add(part)
                words = _WORD.findall(part.lower())
                own.words += len(words)
                own.grams += max(0, len(words) - GRAM + 1)
                seen.update(hash(tuple(words[i : i + GRAM])) for i in range(len(words) - GRAM + 1))
                if tokens is not None and name != "all":
                    own.tokens += tokens(part)
    for name, own in counts.items():
        own.distinct_grams, own.distinct_answers = len(grams[name]), len(answers[name])
    if counts:
        counts["all"].tokens = sum(own.tokens for name, own in counts.items() if name != "all")
    return {name: asdict(own) for name, own in counts.items()}
