"""Capitals, continents, languages and currencies, with questions that refer back.

It knows countries.txt, and adds countries of a corpus' facts; it does not know other geography.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from edge_sdk.training.generators.phrasing import ask, pick
from edge_sdk.training.generators.tables import read_rows


@dataclass(frozen=True)
class Country:
    """What is told about one country; an empty text is unknown."""

    name: str
    capital: str
    continent: str
    languages: str = ""
    currency: str = ""


ASK = {
    "capital": (
        "(What is|What's|Tell me|Give me|Name) the capital( city|) of {c}?",
        "Which (city|town) is (the capital of {c}|{s} capital)?",
        "(Do you know|Can you tell me|I need|I forgot) the capital( city|) of {c}?",
        "Capital( city|) of {c}?",
        "{S} capital?",
        "(What is|What's) {s} capital( city|)( called|)?",
        "What is the capital( city|) (in|for) {c}?",
    ),
    "continent": (
        "(On|In) (which|what) (continent|part of the world) is {c}?",
        "Where is {c}?",
        "(Which|What) continent (is {c} (in|on|part of)|does {c} belong to)?",
        "(Tell me|Do you know) where {c} is?",
    ),
    "languages": (
        "(What|Which) (language|languages) (do people speak|are spoken|is spoken) in {c}?",
        "What do (they|people) speak in {c}?",
        "(Tell me|Do you know) the language of {c}?",
        "What is the language of {c}?",
    ),
    "currency": (
        "(What|Which) (currency|money) (is used|do they use|do people use|do they have) in {c}?",
        "What is the (currency|money) (of|in) {c}?",
        "(How|With what) do people pay in {c}?",
        "(Tell me|Do you know) the currency of {c}?",
    ),
}
FOLLOW = {
    "capital": (
        "(And|And what is|What is|And what about) (its|the) capital( city|)?",
        "(And what|What|Which) is the capital there?",
        "And the capital( city|)?",
    ),
    "continent": (
        "(And where|Where) is (it|that|that country)?",
        "(And on|On) which continent is (it|that)?",
        "(And the|Which) continent?",
    ),
    "languages": (
        "(And what|What|Which) language do (they|people) speak there?",
        "(And its|And the) language?",
        "What do people speak there?",
    ),
    "currency": (
        "(And what|What|Which) (money|currency) do (they|people) use there?",
        "(And its|And the) currency?",
        "How do people pay there?",
    ),
}
ANSWER = {
    "capital": (
        "The capital of {c} is {v}.",
        "The capital of {c} is {v}.",
        "It is {v}.",
        "{v} is the capital of {c}.",
    ),
    "continent": ("{c} is in {v}.", "{c} lies in {v}.", "It is in {v}."),
    "languages": (
        "People in {c} speak {v}.",
        "In {c} people speak {v}.",
        "The language{plural} of {c} {are} {v}.",
    ),
    "currency": (
        "People in {c} pay with the {v}.",
        "The currency of {c} is the {v}.",
        "In {c} people use the {v}.",
    ),
}
ALSO = ("And (of|for) {c}?", "(And|And what about|What about) {c}?", "(And|Now) {c}?")
TWO = (
    "(What are|Tell me|I need) the capitals of {a} and {b}?",
    "{a} and {b}: (what are|name) the capitals?",
)
REVERSE = (
    "{v} is the capital of (which|what) country?",
    "(Which|What) country has {v} as its capital?",
    "(Where|In which country) is {v}?",
    "Of which country is {v} the capital?",
)
TRUTH = ("Is {v} the capital of {c}?", "{v} is the capital of {c}, (right|isn't it|true)?")


def table(extra: Sequence[Country] = ()) -> list[Country]:
    """The file's countries, and those of `extra` that it lacks."""
    known = [Country(*row) for row in read_rows("countries")]
    names = {_plain(country.name) for country in known}
    return known + [country for country in extra if _plain(country.name) not in names]


def exchange(rng: Random, countries: Sequence[Country]) -> list[str]:
    """One to four turns about one country, or about two after each other."""
    country = rng.choice(countries)
    kind = rng.random()
    if kind < 0.12 and country.capital:
        return _reverse(rng, country)
    if kind < 0.2:
        return _truth(rng, country, countries)
    if kind < 0.26:
        other = rng.choice([one for one in countries if one.name != country.name])
        first, second = country.name, other.name
        answer = (
            f"{country.capital} is the capital of {first}, and {other.capital} that of {second}."
        )
        return [ask(TWO, rng, a=first, b=second), answer]
    topics = [topic for topic in ANSWER if getattr(country, topic)]
    weights = [6 if topic == "capital" else 2 for topic in topics]
    topic = rng.choices(topics, weights)[0]
    turns = [_question(rng, ASK[topic], country), _answer(rng, topic, country)]
    while len(topics) > 1 and rng.random() < 0.45:
        if rng.random() < 0.45:
            country = rng.choice(countries)
            if not getattr(country, topic):
                break
            turns += [_question(rng, ALSO, country), _answer(rng, topic, country)]
        else:
            topic = rng.choice([other for other in ANSWER if other != topic])
            if not getattr(country, topic):
                break
            turns += [ask(FOLLOW[topic], rng), _answer(rng, topic, country)]
        if len(turns) >= 8:
            break
    return turns


def _question(rng: Random, wordings: Sequence[str], country: Country) -> str:
    name = country.name
    owner = f"{name}'" if name.endswith("s") else f"{name}'s"
    return ask(wordings, rng, c=name, s=owner, S=owner)


def _answer(rng: Random, topic: str, country: Country) -> str:
    value = getattr(country, topic)
    many = " and " in value
    slots = {"plural": "s" if many else "", "are": "are" if many else "is"}
    answer = pick(ANSWER[topic], rng, c=country.name, v=value, **slots)
    return answer.replace("..", ".")


def _reverse(rng: Random, country: Country) -> list[str]:
    answers = ("{v} is the capital of {c}.", "{v} is in {c}.", "It is the capital of {c}.")
    question = ask(REVERSE, rng, v=country.capital)
    return [question, pick(answers, rng, v=country.capital, c=country.name)]


def _truth(rng: Random, country: Country, countries: Sequence[Country]) -> list[str]:
    said = country.capital if rng.random() < 0.5 else rng.choice(countries).capital
    question = ask(TRUTH, rng, v=said, c=country.name)
    right = f"{country.capital} is the capital of {country.name}."
    return [question, f"{'Yes' if said == country.capital else 'No'}, {right}"]


def _plain(name: str) -> str:
    return name.removeprefix("the ").removeprefix("The ").casefold()
