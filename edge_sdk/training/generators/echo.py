"""What the user wants to hear again: words, names, numbers, phrases, copied to the letter.

It knows the wordings of echo.txt and phrases.txt; it does not know what the words mean.
"""

from __future__ import annotations

import re
from random import Random

from edge_sdk.training.generators import made_up
from edge_sdk.training.generators.phrasing import expand, pick
from edge_sdk.training.generators.tables import read_lines, read_sections

_KINDS = {
    "word": 10,
    "quoted": 3,
    "phrase": 8,
    "number": 5,
    "twice": 2,
    "thrice": 1,
    "list": 3,
    "first": 1,
    "last": 1,
    "pair": 2,
}
_WORDS = {"words": 5, "person": 3, "surname": 4, "town": 2, "creature": 1, "food": 1, "colour": 1}
_NUMBERS = ("digits", "digits", "doorcode", "number", "clock", "price", "year")
_SLOT = re.compile(r"{(\w+)}")


def exchange(rng: Random) -> list[str]:
    """The user says something to repeat, and it is repeated; now and then once more."""
    kind = rng.choices(list(_KINDS), list(_KINDS.values()))[0]
    section = read_sections("echo")[kind]
    slots = _slots(kind, rng)
    small = rng.random() < 0.3
    if small:
        slots = {name: text.lower() for name, text in slots.items()}
    asked = _typed(pick(section["?"], rng, **slots), rng, small)
    turns = [asked, pick(section["="], rng, **slots)]
    if rng.random() < 0.12:
        turns += [_typed(pick(read_sections("echo")["again"]["?"], rng), rng, small), turns[1]]
    return turns


def phrase(rng: Random) -> str:
    """A line of two to ten words, its first letter as in the list."""
    template = rng.choice(read_lines("phrases"))
    # A letter before it keeps the small first letter, which `expand` would raise.
    chosen = expand(f"X{template}".replace("{", "<").replace("}", ">"), rng)[1:]
    chosen = chosen.replace("<", "{").replace(">", "}")
    return _SLOT.sub(lambda slot: made_up.value(slot[1], rng), chosen)


def _slots(kind: str, rng: Random) -> dict[str, str]:
    if kind in ("phrase", "quoted"):
        return {"v": phrase(rng) if kind == "phrase" or rng.random() < 0.6 else _word(rng)}
    if kind == "number":
        return {"v": made_up.value(rng.choice(_NUMBERS), rng)}
    if kind in ("twice", "thrice"):
        return {"v": made_up.value(rng.choice(("words", "words", "surname")), rng)}
    a, b, c = _word(rng), _word(rng), _word(rng)
    return {"v": a, "a": a, "b": b, "c": c}


def _word(rng: Random) -> str:
    return made_up.value(rng.choices(list(_WORDS), list(_WORDS.values()))[0], rng)


def _typed(text: str, rng: Random, small: bool) -> str:
    """As people type it: all in small letters, or without the last mark; no slips in an echo."""
    text = text.lower() if small else text
    return text.rstrip(".?!") if rng.random() < 0.3 else text
