"""A tiny grammar of wordings, and the ways in which people type them.

It knows alternatives and spelling; it does not know what is said.

    (Hi|Hello)( there|), {name}!     one of each bracket is taken, then the slots are filled
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

_INNERMOST = re.compile(r"\(([^()]*)\)")
_SMALL_WORD = re.compile(r"\b[a-z]{3,}\b")
_BEFORE_MARK = re.compile(r" +([.?!,])")
_SPACES = re.compile(r" {2,}")
_LEADS = (
    "please ",
    "hey, ",
    "ok, ",
    "so, ",
    "um, ",
    "well, ",
    "and ",
    "quick question: ",
    "tern, ",
)
_FRAMES = (
    "I would like to know: {q}",
    "Just curious: {q}",
    "My friend asks: {q}",
    "Let me ask you this: {q}",
    "One more thing: {q}",
    "Here is a question: {q}",
    "I keep forgetting this: {q}",
    "Tell me, {q}",
    "I have a question. {Q}",
    "Help me with this one: {q}",
    "I was asking myself: {q}",
    "Say, {q}",
    "May I ask something? {Q}",
    "Another question: {q}",
    "For school: {q}",
    "Listen, {q}",
    "{Q} Do you know?",
    "{Q} I forgot.",
    "{Q} Any idea?",
    "{Q} Tell me please.",
    "{Q} I need to know.",
    "{Q} I am curious.",
    "{Q} Thanks!",
    "{Q} Answer in one sentence.",
    "{Q} Be short, please.",
    "{Q} My son wants to know.",
    "{Q} Just tell me.",
    "I am not sure about this. {Q}",
    "Now then. {Q}",
)
"""What people say around a question."""
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


def expand(template: str, rng: Random, **slots: str) -> str:
    """One sentence of `template`: brackets chosen from the inside out, then `{slot}`s filled."""
    while match := _INNERMOST.search(template):
        chosen = rng.choice(match[1].split("|"))
        template = template[: match.start()] + chosen + template[match.end() :]
    text = (template.format_map(slots) if slots else template).strip()
    # A last alternative that is empty leaves a space behind.
    text = _SPACES.sub(" ", _BEFORE_MARK.sub(r"\1", text))
    return text[:1].upper() + text[1:]


def pick(templates: Sequence[str], rng: Random, **slots: str) -> str:
    """`expand` of one of `templates`."""
    return expand(rng.choice(templates), rng, **slots)


def ask(templates: Sequence[str], rng: Random, **slots: str) -> str:
    """`pick` for a user's turn: as people type, often in small letters or without a mark."""
    return rough(pick(templates, rng, **slots), rng, kept=tuple(slots.values()))


def rough(text: str, rng: Random, kept: Sequence[str] = ()) -> str:
    """A user's turn as typed: case, punctuation, short forms, a lead-in, rarely a slip.

    kept: parts without slips, because the answer holds them too.
    """
    if rng.random() < 0.03:
        text = _slip(text, rng, kept)
    if text.endswith("?") and rng.random() < 0.1:
        text = rng.choice(_FRAMES).format(q=lower_first(text), Q=text)
    if rng.random() < 0.3:
        for full, short in _SHORT_FORMS:
            text = text.replace(full, short)
    if rng.random() < 0.06 and len(text) > 8:
        text = rng.choice(_LEADS) + lower_first(text)
        text = text[:1].upper() + text[1:]
    if rng.random() < 0.35:
        text = text.lower()
    if rng.random() < 0.3:
        text = text.rstrip(".?!")
    elif text.endswith(".") and rng.random() < 0.08:
        text = text[:-1] + "!"
    return text


def lower_first(text: str) -> str:
    """`text` to follow other words: its first letter small, unless it is the word I."""
    return text if re.match(r"I\b", text) else text[:1].lower() + text[1:]


def with_article(noun: str) -> str:
    """ "owl" -> "an owl"."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _slip(text: str, rng: Random, kept: Sequence[str]) -> str:
    """Two neighbouring letters swapped, or one left out; not in names and not in `kept`."""
    found = [text.find(part) for part in kept]
    spared = {
        at
        for start, part in zip(found, kept, strict=True)
        for at in range(start, start + len(part))
        if start >= 0
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
    kept = text[at + 1] + text[at] if rng.random() < 0.5 else text[at + 1]
    return text[:at] + kept + text[at + 2 :]
