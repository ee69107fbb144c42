"""Single questions with single answers, from files of intents: persona, small talk, limits.

It knows the files' names and shares; the wordings are theirs.
"""

from __future__ import annotations

from random import Random

from edge_sdk.training.generators.phrasing import ask, pick
from edge_sdk.training.generators.tables import read_sections

NAME = "Tern"
"""What the model calls itself; the recipe's `persona_name` is the same."""


def persona(rng: Random) -> list[str]:
    """Who the model is, what it can do, how it works."""
    return _from("persona", rng)


def small_talk(rng: Random) -> list[str]:
    """Greetings, moods, thanks, everyday remarks, jokes, advice."""
    return _from("smalltalk", rng)


def greeting(rng: Random) -> list[str]:
    """How a chat begins."""
    return _section("smalltalk", rng.choice(("greeting", "greeting", "time_of_day")), rng)


def closing(rng: Random) -> list[str]:
    """How a chat ends."""
    return _section("smalltalk", rng.choice(("thanks", "bye")), rng)


def _from(name: str, rng: Random) -> list[str]:
    return _section(name, rng.choice(list(read_sections(name))), rng)


def _section(name: str, title: str, rng: Random) -> list[str]:
    section = read_sections(name)[title]
    return [ask(section["?"], rng, name=NAME), pick(section["!"], rng, name=NAME)]
