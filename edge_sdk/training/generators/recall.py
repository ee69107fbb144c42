"""Facts that the user gives and asks for later in the same chat.

It knows the wordings of recall.txt and the lists of things.txt; what is asked for was said, or is
honestly not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

from edge_sdk.training.generators.phrasing import ask, pick, rough, with_article
from edge_sdk.training.generators.tables import read_lines, read_rows, read_sections

_SYLLABLES = ("ba", "do", "ka", "li", "mo", "na", "ro", "sa", "ti", "vu", "ze", "pe", "lu", "ri")
_DID = (
    {"did": "bought", "do": "buy", "done": "bought"},
    {"did": "lost", "do": "lose", "done": "lost"},
    {"did": "found", "do": "find", "done": "found"},
    {"did": "sold", "do": "sell", "done": "sold"},
)
_OWN = ("What is your name?", "And yours?", "And what is your name?", "And who are you?")
_TERN = ("My name is Tern.", "I'm Tern.", "I am Tern.")


@dataclass(frozen=True)
class Fact:
    """One thing that is told: its section of recall.txt, and what fills the wordings."""

    kind: str
    slots: dict[str, str]

    def told(self, rng: Random) -> list[str]:
        """The user tells it, and what is said to that."""
        section = read_sections("recall")[self.kind]
        return [ask(section["+"], rng, **self.slots), pick(section["!"], rng, **self.slots)]

    def question(self, rng: Random) -> str:
        """The user asks for it."""
        return ask(read_sections("recall")[self.kind]["?"], rng, **self.slots)

    def asked(self, rng: Random) -> list[str]:
        """The user asks for it, and the answer."""
        answers = read_sections("recall")[self.kind]["="]
        return [self.question(rng), pick(answers, rng, **self.slots)]


def person(rng: Random) -> str:
    """A name, now and then one that nobody has, so that it must be copied."""
    if rng.random() < 0.25:
        return "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((2, 2, 3)))).capitalize()
    return rng.choice(" ".join(read_lines("names")).split())


def exchange(rng: Random, between: Callable[[Random], list[str]]) -> list[str]:
    """Tell one or two facts, talk of something else (`between`), and ask for them."""
    facts = [any_fact(rng)]
    if rng.random() < 0.35:
        other = any_fact(rng)
        if other.kind != facts[0].kind:
            facts.append(other)
    turns = [turn for fact in facts for turn in fact.told(rng)]
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        turns += between(rng)[:2]
    for fact in rng.sample(facts, len(facts)):
        turns += fact.asked(rng)
    return turns


def any_fact(rng: Random) -> Fact:
    """A fact of any kind; names are the most frequent."""
    return rng.choice(_KINDS)(rng)


def unknown(rng: Random) -> list[str]:
    """Asked for what was never told."""
    return [any_fact(rng).question(rng), pick(read_sections("recall")["unknown"]["!"], rng)]


def corrected(rng: Random) -> list[str]:
    """A name that the user puts right."""
    first, second = name(rng), name(rng)
    section = read_sections("recall")["corrected"]
    slots = {"v": second.slots["v"], "u": first.slots["v"]}
    fixed = [ask(section["+"], rng, **slots), pick(section["!"], rng, **slots)]
    return [*first.told(rng), *fixed, *second.asked(rng)]


def mine_and_yours(rng: Random) -> list[str]:
    """The user's name and the model's in one chat, so that they are not mixed up."""
    fact = name(rng)
    own = [rough(rng.choice(_OWN), rng), rng.choice(_TERN)]
    rest = [own, fact.asked(rng)] if rng.random() < 0.6 else [fact.asked(rng), own]
    return [*fact.told(rng), *rest[0], *rest[1]]


def name(rng: Random) -> Fact:
    """The user's own name."""
    return Fact("name", {"v": person(rng)})


def _favourite(rng: Random) -> Fact:
    what = {"colour": "colours", "food": "foods", "animal": "animals", "day": "days"}
    kind = rng.choice((*what, "hobby"))
    return Fact("favourite", {"w": kind, "v": _one(what.get(kind, "hobbies"), rng)})


def _home(rng: Random) -> Fact:
    return Fact("home", {"v": _one("cities", rng)})


def _pet(rng: Random) -> Fact:
    called = rng.choice(" ".join(read_lines("pets")).split())
    return Fact("pet", {"k": _one("animals", rng), "v": called})


def _relative(rng: Random) -> Fact:
    return Fact("relative", {"k": _one("relatives", rng), "v": person(rng)})


def _number(rng: Random) -> Fact:
    if rng.random() < 0.5:
        return Fact("age", {"v": str(rng.randint(6, 90))})
    return Fact("count", {"v": str(rng.randint(2, 60)), "t": _one("counted", rng)})


def _work(rng: Random) -> Fact:
    return Fact("work", {"v": with_article(_one("jobs", rng))})


def _word(rng: Random) -> Fact:
    if rng.random() < 0.5:
        return Fact("word", {"w": "word", "v": _one("words", rng)})
    return Fact("word", {"w": rng.choice(("number", "code")), "v": str(rng.randint(10, 9999))})


def _place(rng: Random) -> Fact:
    spot, thing = _one("places", rng), _one("kept", rng)
    many = thing in ("keys", "glasses", "gloves")
    slots = {"t": thing, "are": "are" if many else "is", "it": "them" if many else "it"}
    return Fact("place", slots | {"v": spot, "y": spot.replace("my", "your")})


def _thing(rng: Random) -> Fact:
    thing = _one("things", rng)
    whole = f"{_one('colours', rng)} {thing}" if rng.random() < 0.6 else thing
    return Fact("thing", {"v": with_article(whole), **rng.choice(_DID)})


def _plan(rng: Random) -> Fact:
    plan = _one("plans", rng)
    return Fact("plan", {"v": plan, "y": plan.replace("my", "your"), "d": _one("days", rng)})


def _meal(rng: Random) -> Fact:
    return Fact("meal", {"v": _one("foods", rng)})


def _colour(rng: Random) -> Fact:
    return Fact("colour", {"t": _one("painted", rng), "v": _one("colours", rng)})


@cache
def _lists() -> dict[str, tuple[str, ...]]:
    return {title: tuple(words.split(", ")) for title, words in read_rows("things")}


def _one(title: str, rng: Random) -> str:
    return rng.choice(_lists()[title])


_KINDS: tuple[Callable[[Random], Fact], ...] = (
    *(name, name, name, name, _favourite, _favourite, _home, _pet, _relative, _number, _work),
    *(_word, _word, _place, _place, _thing, _plan, _meal, _colour),
)
