"""Facts that the user gives and asks for later in the same chat.

It knows the wordings of recall.txt, whose `:` lines say what fills them; what is asked for was
said, or is honestly not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from random import Random

from edge_sdk.training.generators import made_up
from edge_sdk.training.generators.phrasing import ask, lower_first, pick, rough, with_article
from edge_sdk.training.generators.tables import read_sections

_OWN = (
    "What is your name?",
    "And yours?",
    "And what is your name?",
    "And who are you?",
    "What are you called?",
    "Now tell me your name.",
    "And what do I call you?",
    "Do you have a name too?",
)
_TERN = ("My name is Tern.", "I'm Tern.", "I am Tern.", "I am called Tern.")
_ALIKE = (
    {"name", "greetme", "thank_by_name", "surname", "fullname", "nickname"},
    {"home", "street", "travel", "nexttrip"},
    {"word", "number", "code", "password", "friendtold", "line", "room"},
    {"meal", "cooked", "drink"},
    {"thing", "gift", "giver", "clothes", "language"},
    {"book", "language", "subject", "favourite_subject"},
    {"year", "birthday", "age"},
    {"hobby", "instrument", "plan", "wish"},
    {"team", "favourite_team"},
    {"work", "hobby"},
    {"planday", "time", "date"},
    {"allergy", "meal"},
)
"""Kinds whose questions could mean each other; they are not asked in one chat."""


@dataclass(frozen=True)
class Fact:
    """One thing that is told: its section of recall.txt, and what fills the wordings."""

    kind: str
    slots: dict[str, str]

    def told(self, rng: Random) -> list[str]:
        """The user tells it, and what is said to that."""
        section, generic = _wordings(self.kind), read_sections("recall")["generic"]
        topic = self._topic(rng)
        plain = topic is None or not topic.startswith(("my ", "the ")) or rng.random() > 0.12
        source = section if plain else generic
        slots = self.slots if plain else self.slots | {"n": topic or ""}
        said = _surrounded(pick(source["+"], rng, **slots), rng)
        answers = generic if rng.random() < 0.15 else source
        return [rough(said, rng, kept=tuple(slots.values())), pick(answers["!"], rng, **slots)]

    def question(self, rng: Random) -> str:
        """The user asks for it."""
        topic = self._topic(rng)
        if topic is None or rng.random() > 0.3:
            return ask(_wordings(self.kind)["?"], rng, **self.slots)
        return ask(read_sections("recall")["generic"]["?"], rng, n=topic)

    def asked(self, rng: Random) -> list[str]:
        """The user asks for it, and the answer."""
        return [self.question(rng), self.answer(rng)]

    def answer(self, rng: Random) -> str:
        """What the user told, told again."""
        return pick(_wordings(self.kind)["="], rng, **self.slots)

    def changed(self, other: Fact, rng: Random) -> list[str]:
        """The user puts `other` right: it is this one."""
        section = read_sections("recall")["changed"]
        slots = self.slots | {"u": other.slots["v"], "n": self._topic(rng) or ""}
        return [ask(section["+"], rng, **slots), pick(section["!"], rng, **slots)]

    def _topic(self, rng: Random) -> str | None:
        topics = _wordings(self.kind).get("~")
        return rng.choice(topics).format_map(self.slots) if topics else None


def exchange(rng: Random, between: Callable[[Random], list[str]]) -> list[str]:
    """Tell one to three facts, talk of something else (`between`), and ask for them."""
    facts = [any_fact(rng)]
    for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2))):
        other = any_fact(rng)
        if not any(_confused(other, fact) for fact in facts):
            facts.append(other)
    turns = between(rng)[:2] if rng.random() < 0.1 else []
    for fact in facts:
        turns += fact.told(rng)
    for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 1, 2))):
        turns += between(rng)[:2]
    for fact in rng.sample(facts, len(facts)):
        turns += fact.asked(rng)
    if rng.random() < 0.08:
        turns += [*between(rng)[:2], *rng.choice(facts).asked(rng)]
    return turns


def any_fact(rng: Random) -> Fact:
    """A fact of any kind; names are the most frequent."""
    kinds, weights = _kinds()
    return make(rng.choices(kinds, weights)[0], rng)


def make(kind: str, rng: Random) -> Fact:
    """A fact of the section `kind`; no two of its slots hold the same. KeyError if unknown."""
    while True:
        slots: dict[str, str] = {}
        for word in _rule(kind)[1:]:
            if word[0] in "=+":
                continue
            name, sign, source = re.split("([=:])", word, maxsplit=1)
            if sign == ":":
                slots[name] = source.replace("_", " ").format_map(slots)
            else:
                first, *others = made_up.value(source, rng).split("/")
                slots[name] = first
                slots |= {f"{name}{at}": other for at, other in enumerate(others, 2)}
        plain = [value for name, value in slots.items() if len(name) == 1]
        if len(set(plain)) == len(plain):
            articles = {f"a_{name}": with_article(value) for name, value in slots.items()}
            return Fact(kind, slots | articles | {"y": _turned(slots["v"])})


def unknown(rng: Random) -> list[str]:
    """Asked for what was never told; often after something else was."""
    fact, other = any_fact(rng), any_fact(rng)
    told = rng.random() < 0.6 and not _confused(fact, other)
    answer = pick(read_sections("recall")["unknown"]["!"], rng)
    return [*(other.told(rng) if told else ()), fact.question(rng), answer]


def corrected(rng: Random) -> list[str]:
    """A name or another fact that the user puts right."""
    if rng.random() < 0.4:
        return _changed(rng)
    first, second = name(rng), name(rng)
    section = read_sections("recall")["corrected"]
    slots = {"v": second.slots["v"], "u": first.slots["v"]}
    fixed = [ask(section["+"], rng, **slots), pick(section["!"], rng, **slots)]
    return [*first.told(rng), *fixed, *second.asked(rng)]


def _changed(rng: Random) -> list[str]:
    kind = rng.choice(("code", "number", "password", "time", "line", "room", "price", "home"))
    first, second = make(kind, rng), make(kind, rng)
    slots = first.slots | {"v": second.slots["v"], "y": second.slots["y"]}
    second = Fact(kind, slots)
    return [*first.told(rng), *second.changed(first, rng), *second.asked(rng)]


def mine_and_yours(rng: Random) -> list[str]:
    """The user's name and the model's in one chat, so that they are not mixed up."""
    fact = name(rng)
    own = [rough(rng.choice(_OWN), rng), rng.choice(_TERN)]
    rest = [own, fact.asked(rng)] if rng.random() < 0.6 else [fact.asked(rng), own]
    return [*fact.told(rng), *rest[0], *rest[1]]


def name(rng: Random) -> Fact:
    """The user's own name."""
    return make("name", rng)


def _surrounded(said: str, rng: Random) -> str:
    """With a greeting or something irrelevant before it or after it, now and then."""
    around = read_sections("recall")["around"]
    if rng.random() < 0.2:
        before = pick(around["<"], rng)
        said = f"{before} {lower_first(said) if before.endswith(':') else said}"
    if rng.random() < 0.12 and not said.endswith("?"):
        said = f"{said} {pick(around['>'], rng)}"
    return said


def _turned(text: str) -> str:
    """What the user says of "my" things, said to the user."""
    return re.sub(r"\bmy\b", "your", text)


def _confused(first: Fact, second: Fact) -> bool:
    """Whether a question for one could mean the other."""
    if first.kind == second.kind or set(first.slots.values()) & set(second.slots.values()):
        return True
    return any({first.kind, second.kind} <= alike for alike in _ALIKE)


def _rule(kind: str) -> list[str]:
    return read_sections("recall")[kind][":"][0].split()


@cache
def _wordings(kind: str) -> Mapping[str, tuple[str, ...]]:
    """The section's lines by mark, with those of the kinds that it is built on."""
    sections = read_sections("recall")
    own: dict[str, tuple[str, ...]] = dict(sections[kind])
    for word in _rule(kind)[1:]:
        if word[0] in "=+":
            base = sections[word[1:]]
            for mark in base if word[0] == "=" else "+!":
                own[mark] = (*own.get(mark, ()), *base[mark])
    return own


@cache
def _kinds() -> tuple[list[str], list[int]]:
    kinds = [kind for kind, section in read_sections("recall").items() if ":" in section]
    return kinds, [int(_rule(kind)[0]) for kind in kinds]
