"""Generated training text: chats and stories from hand-written wordings, the same for one seed.

It knows the kinds and how many documents of each are made; each kind has a module of its own. The
wordings are part of the package (text/*.txt); nothing here is written by another model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from random import Random

from edge_sdk.status_line import Readings, put_before
from edge_sdk.training.corpus import Document
from edge_sdk.training.generators import (
    common,
    comparisons,
    countries,
    echo,
    intents,
    numbers,
    recall,
    status,
    stories,
    unknown,
    written,
)
from edge_sdk.training.generators.facts_shard import Facts, read_facts

Exchange = Callable[[Random, Readings], list[str]]
"""Makes turns, user and model in turn, for a user whose device shows these readings."""

DOCUMENTS: Mapping[str, int] = {
    "status": 70_000,
    "recall": 34_000,
    "echo": 12_000,
    "countries": 26_000,
    "common": 40_000,
    "words": 10_000,
    "sums": 14_000,
    "comparisons": 14_000,
    "unknown": 18_000,
    "persona": 16_000,
    "smalltalk": 14_000,
    "written": 9_000,
    "storychat": 22_000,
    "mixed": 60_000,
    "tales": 12_000,
}
"""Documents of each kind, before equal ones are dropped; `mixed` chains the others."""

WHOLE = frozenset({"written"})
"""Kinds that are small and hand-written: all of them are trained, none is held out."""

_IN_MIXTURES = {
    "status": 14,
    "recall": 8,
    "echo": 2,
    "countries": 10,
    "common": 10,
    "words": 3,
    "sums": 6,
    "comparisons": 3,
    "unknown": 6,
    "persona": 10,
    "smalltalk": 12,
    "written": 6,
    "storychat": 4,
}
_MOST_CHARACTERS = 1800
"""Of one chat: about what one training window holds."""


def generate(folder: Path, seed: int, scale: float = 1.0) -> Iterator[Document]:
    """All generated documents; `folder`: where a facts shard may lie. No two of a kind are equal.

    scale: share of DOCUMENTS, for tests. Raises Rejected for a damaged facts shard.
    """
    facts = read_facts(folder)
    for source in DOCUMENTS:
        yield from generate_kind(source, facts, seed, scale)


def generate_kind(source: str, facts: Facts, seed: int, scale: float = 1.0) -> Iterator[Document]:
    """The documents of one kind, whatever other kinds are made."""
    kinds = exchanges(facts)
    seen: set[tuple[str, ...]] = set()
    rng = Random(f"{seed} {source}")
    tale = source == "tales"
    for _ in range(round(DOCUMENTS[source] * scale)):
        parts = (stories.text(rng),) if tale else tuple(_chat(source, kinds, rng))
        if parts not in seen:
            seen.add(parts)
            yield Document(source, parts, chat=not tale)


def exchanges(facts: Facts) -> dict[str, Exchange]:
    """A maker of turns for each kind of chat."""
    table = countries.table(facts.countries)
    between = partial(_between, table)

    def plain(make: Callable[[Random], list[str]]) -> Exchange:
        return lambda rng, seen: make(rng)

    def recalled(rng: Random) -> list[str]:
        chance = rng.random()
        if chance < 0.12:
            return recall.unknown(rng)
        if chance < 0.2:
            return recall.corrected(rng)
        if chance < 0.3:
            return recall.mine_and_yours(rng)
        return recall.exchange(rng, between)

    def limits(rng: Random) -> list[str]:
        turns = unknown.exchange(rng, facts.phrasings)
        if rng.random() >= 0.25:
            return turns
        # A question that can be answered beside one that cannot: what was asked has to decide.
        known = _answerable(table, rng)
        return turns + known if rng.random() < 0.5 else known + turns

    return {
        "status": status.exchange,
        "recall": plain(recalled),
        "echo": plain(echo.exchange),
        "countries": plain(lambda rng: countries.exchange(rng, table)),
        "common": plain(common.exchange),
        "words": plain(common.word),
        "sums": plain(numbers.sum_),
        "comparisons": plain(comparisons.of_numbers),
        "unknown": plain(limits),
        "persona": plain(intents.persona),
        "smalltalk": plain(intents.small_talk),
        "written": plain(written.exchange),
        "storychat": plain(stories.exchange),
    }


def _answerable(table: list[countries.Country], rng: Random) -> list[str]:
    """Something that the model knows or can work out."""
    makers: tuple[Callable[[Random], list[str]], ...] = (
        common.exchange,
        common.word,
        numbers.sum_,
        comparisons.of_numbers,
        lambda rng: countries.exchange(rng, table),
        intents.persona,
    )
    return rng.choice(makers)(rng)


def _between(table: list[countries.Country], rng: Random) -> list[str]:
    """Something short to talk of before a fact is asked for again."""
    makers: tuple[Callable[[Random], list[str]], ...] = (
        intents.small_talk,
        intents.persona,
        common.exchange,
        numbers.sum_,
        lambda rng: countries.exchange(rng, table),
        lambda rng: unknown.exchange(rng, {}),
        stories.exchange,
    )
    return rng.choices(makers, (5, 4, 4, 3, 3, 2, 1))[0](rng)


def _chat(source: str, kinds: Mapping[str, Exchange], rng: Random) -> list[str]:
    """One chat of `source`, with a line of readings before its questions or without."""
    seen = status.random_readings(rng)
    plan = _plan(source, rng)
    # Questions on readings that are not there have one kind of answer: a few of them are enough.
    share = 0.87 if "status" in plan else 0.3
    if rng.random() >= share:
        seen = Readings()
    turns: list[str] = []
    for kind in plan:
        if kind in ("greeting", "closing"):
            turns += (intents.greeting if kind == "greeting" else intents.closing)(rng)
            continue
        made = kinds[kind](rng, seen)
        if turns and sum(map(len, turns)) + sum(map(len, made)) > _MOST_CHARACTERS:
            break
        turns += _with_line(made, seen, rng)
        if kind == "status" and seen.figures():
            seen = status.drift(seen, rng)
    return turns


def _plan(source: str, rng: Random) -> list[str]:
    if source != "mixed":
        again = source in ("status", "unknown", "persona") and rng.random() < 0.3
        return [source] * (2 if again else 1)
    names, weights = list(_IN_MIXTURES), list(_IN_MIXTURES.values())
    middle = rng.choices(names, weights, k=rng.choice((2, 2, 3, 3, 4, 5)))
    first = ["greeting"] if rng.random() < 0.35 else []
    last = ["closing"] if rng.random() < 0.2 else []
    return [*first, *middle, *last]


def _with_line(turns: list[str], seen: Readings, rng: Random) -> list[str]:
    """The line before each question; its figures move a little from turn to turn."""
    made = []
    for at, part in enumerate(turns):
        if at % 2 == 0:
            if at:
                seen = status.drift(seen, rng) if seen.figures() else seen
            part = put_before(seen.line(), part)
        made.append(part)
    return made
