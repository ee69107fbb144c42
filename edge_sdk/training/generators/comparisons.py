"""Comparisons of a reading with a limit and of mere numbers: the verdict first, half of them yes.

It knows the wordings of compare.txt and larger.txt; it does not know where readings come from.
"""

from __future__ import annotations

from random import Random

from edge_sdk.status_line import Readings
from edge_sdk.training.generators.phrasing import ask, pick
from edge_sdk.training.generators.tables import read_sections

_FIXED = {
    "light_bulb": ("power", "60"),
    "bulb_which": ("power", "60"),
    "hot": ("temp", "74"),
    "fast": ("speed", "14"),
    "why_slow": ("speed", "14"),
}
"""Sections whose limit lies in their wording: the reading and the limit."""
_MEASURED = ("power", "memory", "speed", "temp")
_FACTORS = (0.1, 0.2, 0.5, 0.8, 0.9, 1.1, 1.25, 2, 3, 10)


def with_limit(rng: Random, seen: Readings) -> list[str]:
    """A reading against a limit: is it above, is it below."""
    figures = seen.figures()
    kind = rng.choice(_MEASURED if rng.random() < 0.8 else tuple(_FIXED))
    name, limit = _FIXED.get(kind, (kind, ""))
    if name in figures and limit and float(figures[name]) == float(limit):
        kind, limit = name, ""
    section = read_sections("compare")[kind]
    limit = limit or (other(rng, figures[name]) if name in figures else number(rng))
    below = "<" in section and rng.random() < 0.5
    question = ask(section["<" if below else "?"], rng, limit=limit)
    if name not in figures:
        return [question, pick(section["x"], rng, limit=limit)]
    above = float(figures[name]) > float(limit)
    verdict = "Yes" if above != below else "No"
    answer = pick(section["a" if above else "b"], rng, limit=limit, verdict=verdict, **figures)
    return [question, answer]


def of_numbers(rng: Random) -> list[str]:
    """Two mere numbers: is one more than the other, which is larger."""
    first = number(rng)
    second = other(rng, first)
    # Which of both was drawn first would tell too much, as small numbers lie above others less.
    if rng.random() < 0.5:
        first, second = second, first
    above = float(first) > float(second)
    sections = read_sections("larger")
    if rng.random() < 0.3:
        larger, smaller = (first, second) if above else (second, first)
        if rng.random() < 0.5:
            question = ask(sections["which"]["w"], rng, x=first, y=second)
            return [question, f"{larger} is more than {smaller}."]
        question = ask(sections["which"]["s"], rng, x=first, y=second)
        return [question, f"{smaller} is less than {larger}."]
    section, below = sections["yes_no"], rng.random() < 0.5
    question = ask(section["<" if below else "?"], rng, x=first, y=second)
    verdict = "Yes" if above != below else "No"
    wording = section["a" if above else "b"]
    return [question, pick(wording, rng, x=first, y=second, verdict=verdict)]


def number(rng: Random, digits: int | None = None) -> str:
    """A number as people write it: 1 to 4 digits (or `digits`), sometimes with one decimal."""
    digits = digits or rng.choice((1, 1, 2, 2, 2, 3, 3, 4))
    return _written(rng, rng.randint(10 ** (digits - 1), 10**digits - 1))


def other(rng: Random, figure: str) -> str:
    """A number that differs from `figure`, above or below it with equal chance, near or far."""
    value, above = float(figure), rng.random() < 0.5
    digits = len(figure.partition(".")[0])
    for _ in range(60):
        way = rng.choice(("near", "near", "same", "same", "length", "length", "any", "factor"))
        if way == "near":
            step = rng.choice((1, 1, 1, 2, 3, 4, 5, 7, 10, 20))
            found = _written(rng, int(value) + rng.choice((-step, 0, step)))
        elif way == "same":
            found = number(rng, digits)
        elif way == "length":
            found = number(rng, min(5, max(1, digits + rng.choice((-1, 1)))))
        elif way == "any":
            found = number(rng)
        else:
            scaled = value * rng.choice(_FACTORS)
            found = _written(rng, round(scaled, -1 if scaled > 30 else 0))
        if float(found) > 0 and float(found) != value and (float(found) > value) == above:
            return found
    return str(int(value) + 1)


def _written(rng: Random, whole: float) -> str:
    """A whole number, or one with a decimal: small ones more often."""
    decimal = rng.random() < (0.3 if whole < 100 else 0.05)
    return f"{int(whole)}.{rng.randint(1, 9)}" if decimal else str(int(whole))
