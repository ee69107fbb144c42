"""Questions and answers from files of intents: who the model is, small talk.

It knows the files' names and shares, and how slots are filled; the wordings are theirs.

    == soup
    + dish/it soup/it|beans/them    slots that are filled together, one of each pair
    ? I am cooking {dish}.
    ! {dish}! Who gets {it}?
    < My friends.                   what the user says next, where a second answer follows
    = Then enjoy the {dish}!

Slots of slots.txt hold in every section; {a_pet} is the slot {pet} with its article. An answer
names nothing of a question's slots that the question did not name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random

from edge_sdk.training.generators.phrasing import ask, pick, with_article
from edge_sdk.training.generators.tables import read_lines, read_sections

NAME = "Tern"
"""What the model calls itself; the recipe's `persona_name` is the same."""
SMALL_TALK = ("smalltalk", "moods", "everyday", "followups")
"""Files of small talk: manners, what happened to people, ideas and advice, longer exchanges."""
_SLOT = re.compile(r"\{(?:a_)?(\w+)\}")


def persona(rng: Random) -> list[str]:
    """Who the model is, what it can do, how it works."""
    return _from(("persona",), rng)


def small_talk(rng: Random) -> list[str]:
    """Greetings, moods, thanks, everyday remarks, jokes, advice."""
    return _from(SMALL_TALK, rng)


def greeting(rng: Random) -> list[str]:
    """How a chat begins."""
    return _from(("smalltalk",), rng, ("greeting",))


def closing(rng: Random) -> list[str]:
    """How a chat ends."""
    return _from(("smalltalk",), rng, ("thanks", "bye"))


@cache
def _titles(
    names: tuple[str, ...], beginnings: tuple[str, ...]
) -> tuple[tuple[tuple[str, str], ...], tuple[int, ...]]:
    """(file, title) of each section that begins so, and its number of lines that ask."""
    found = [
        ((name, title), len(section["?"]))
        for name in names
        for title, section in read_sections(name).items()
        if title.startswith(beginnings)
    ]
    places, weights = zip(*found, strict=True)
    return places, weights


def _from(names: tuple[str, ...], rng: Random, beginnings: tuple[str, ...] = ("",)) -> list[str]:
    places, weights = _titles(names, beginnings)
    name, title = rng.choices(places, weights)[0]
    return section_turns(read_sections(name)[title], rng)


def section_turns(section: Mapping[str, tuple[str, ...]], rng: Random) -> list[str]:
    """The turns of one section, user first; `section`: its lines by their marks."""
    lists = [_values(line) for line in (*read_lines("slots"), *section.get("+", ()))]
    asked = rng.choice(section["?"])
    turns = [asked, rng.choice(_fitting(section["?"], asked, section["!"], lists))]
    if "<" in section:
        turns += rng.choice(section["<"]), rng.choice(section["="])
    used = _named(turns)
    slots = {"name": NAME}
    for slot_names, rows in lists:
        if used & set(slot_names):
            slots |= zip(slot_names, rng.choice(rows), strict=True)
    slots |= {f"a_{slot}": with_article(value) for slot, value in slots.items()}
    slots = {slot: value for slot, value in slots.items() if f"{{{slot}}}" in " ".join(turns)}
    return [
        pick((turn,), rng, **slots)
        if at % 2 or not re.search(r"\w", turn)
        # A turn of marks alone would be empty without them.
        else ask((turn,), rng, **slots)
        for at, turn in enumerate(turns)
    ]


_Slots = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]
"""Names of slots that are filled together, and the values of each filling."""


@cache
def _values(line: str) -> _Slots:
    names, _, words = line.partition(" ")
    return tuple(names.split("/")), tuple(tuple(row.split("/")) for row in words.split("|"))


def _named(lines: Sequence[str]) -> set[str]:
    return {slot for line in lines for slot in _SLOT.findall(line)}


def _fitting(
    questions: Sequence[str], asked: str, answers: Sequence[str], lists: Sequence[_Slots]
) -> list[str]:
    """The answers that name nothing which only another question names."""
    of_questions, of_asked = _named(questions), _named([asked])
    barred = {
        slot
        for names, _ in lists
        if of_questions & set(names) and not of_asked & set(names)
        for slot in names
    }
    return [answer for answer in answers if not barred & _named([answer])]
