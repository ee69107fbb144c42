"""Capitals, continents, languages and currencies, with questions that refer back.

It knows countries.txt and the wordings of geography.txt, and adds countries of a corpus' facts; it
does not know other geography.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from edge_sdk.training.generators.phrasing import ask, pick
from edge_sdk.training.generators.tables import read_rows, read_sections


@dataclass(frozen=True)
class Country:
    """What is told about one country; an empty text is unknown."""

    name: str
    capital: str
    continent: str
    languages: str = ""
    currency: str = ""


_SECTIONS = ("capital", "continent", "languages", "currency")
"""What is asked about a country; a section of geography.txt each, named as the field."""


def table(extra: Sequence[Country] = ()) -> list[Country]:
    """The file's countries, and those of `extra` that it lacks."""
    known = [Country(*row) for row in read_rows("countries")]
    names = {_plain(country.name) for country in known}
    return known + [country for country in extra if _plain(country.name) not in names]


def exchange(rng: Random, countries: Sequence[Country]) -> list[str]:
    """One to four turns about one country, or about two after each other."""
    country = rng.choice(countries)
    kind = rng.random()
    if kind < 0.32 and country.capital:
        made = rng.choices((_reverse, _truth, _two, _either, _blank), (10, 8, 5, 5, 4))[0]
        return made(rng, country, [one for one in countries if one.capital])
    topics = [topic for topic in _SECTIONS if getattr(country, topic)]
    weights = [6 if topic == "capital" else 2 for topic in topics]
    topic = rng.choices(topics, weights)[0]
    turns = [_question(rng, topic, "?", country), _answer(rng, topic, country)]
    while len(topics) > 1 and rng.random() < 0.5:
        if rng.random() < 0.45:
            country = rng.choice(countries)
            if not getattr(country, topic):
                break
            turns += [_question(rng, "also", "?", country), _answer(rng, topic, country)]
        else:
            topic = rng.choice([other for other in _SECTIONS if other != topic])
            if not getattr(country, topic):
                break
            turns += [_question(rng, topic, ">", country), _answer(rng, topic, country)]
        if len(turns) >= 8:
            break
    return turns


def _question(rng: Random, section: str, mark: str, country: Country) -> str:
    """`>` refers back to the country, `?` names it."""
    name = country.name
    owner = f"{name}'" if name.endswith("s") else f"{name}'s"
    return ask(read_sections("geography")[section][mark], rng, c=name, s=owner)


def _answer(rng: Random, topic: str, country: Country) -> str:
    value = getattr(country, topic)
    many = " and " in value
    slots = {"plural": "s" if many else "", "are": "are" if many else "is"}
    wordings = read_sections("geography")[topic]["="]
    return _said(wordings, rng, c=country.name, v=value, **slots)


def _reverse(rng: Random, country: Country, _: Sequence[Country]) -> list[str]:
    return _asked("reverse", rng, v=country.capital, c=country.name)


def _truth(rng: Random, country: Country, countries: Sequence[Country]) -> list[str]:
    said = country.capital if rng.random() < 0.5 else rng.choice(countries).capital
    section = read_sections("geography")["truth"]
    question = ask(section["?"], rng, v=said, c=country.name)
    yes = said == country.capital
    return [question, _said(section["=" if yes else "!"], rng, v=country.capital, c=country.name)]


def _two(rng: Random, country: Country, countries: Sequence[Country]) -> list[str]:
    other = rng.choice([one for one in countries if one.name != country.name])
    slots = {"v": country.capital, "w": other.capital}
    return _asked("two", rng, a=country.name, b=other.name, **slots)


def _either(rng: Random, country: Country, countries: Sequence[Country]) -> list[str]:
    other = rng.choice([one for one in countries if one.capital != country.capital])
    first, second = rng.sample((country.capital, other.capital), 2)
    return _asked("either", rng, a=first, b=second, c=country.name, v=country.capital)


def _blank(rng: Random, country: Country, _: Sequence[Country]) -> list[str]:
    return _asked("blank", rng, c=country.name, v=country.capital)


def _asked(title: str, rng: Random, **slots: str) -> list[str]:
    section = read_sections("geography")[title]
    return [ask(section["?"], rng, **slots), _said(section["="], rng, **slots)]


def _said(wordings: Sequence[str], rng: Random, **slots: str) -> str:
    """`pick` with one full stop after a name that ends with one ("Washington, D.C.")."""
    return pick(wordings, rng, **slots).replace("..", ".")


def _plain(name: str) -> str:
    return name.removeprefix("the ").removeprefix("The ").casefold()
