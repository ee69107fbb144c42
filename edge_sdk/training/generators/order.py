"""What comes after what: days, months, seasons, letters, planets and numbers.

It knows these series; the wordings are in order.txt.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from edge_sdk.training.generators import relations
from edge_sdk.training.generators.phrasing import ask, listed, pick
from edge_sdk.training.generators.tables import read_sections


@dataclass(frozen=True)
class Series:
    """Items in order; `rounds`: the first follows the last; `whole`: what they make up."""

    kind: str
    items: tuple[str, ...]
    rounds: bool
    whole: str


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
SERIES = (
    Series("day", DAYS, True, "week"),
    Series("month", MONTHS, True, "year"),
    Series("season", ("spring", "summer", "autumn", "winter"), True, "year"),
    Series("letter", tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), False, "alphabet"),
    Series(
        "planet",
        ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"),
        False,
        "solar system",
    ),
    Series("number", tuple(map(str, range(101))), False, ""),
)
_SHARES = (34, 30, 8, 12, 6, 10)
ORDINALS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
)
_LENGTHS = {"February": "28 days, and 29 in a leap year"} | dict.fromkeys(
    ("April", "June", "September", "November"), "30 days"
)
_STEPS = {"after": 1, "before": -1, "two after": 2, "two before": -2, "between": 1}
_STEPS |= {"check after": 1, "tomorrow": 1, "today": 1, "yesterday": -1, "day after tomorrow": 2}
_OF_DAYS = {"tomorrow": 12, "today": 9, "yesterday": 9, "day after tomorrow": 4}


def exchange(rng: Random) -> list[str]:
    """One question about a series, sometimes with a second that goes on from the answer."""
    series = rng.choices(SERIES, _SHARES)[0]
    shares = {"after": 36, "before": 26, "two after": 4, "two before": 2, "between": 8}
    shares["check after"] = 6
    if series.kind == "day":
        shares |= _OF_DAYS
    if series.kind in ("day", "month", "planet"):
        shares |= {"nth": 6, "number of": 4}
    if series.kind == "month":
        shares["length"] = 14
    if series.kind in ("day", "month", "season"):
        shares["list"] = 3
    if series.kind in ("day", "month", "letter"):
        shares["first last"] = 3
    title = rng.choices(list(shares), list(shares.values()))[0]
    if title in _STEPS:
        return _stepped(series, title, rng)
    return _placed(series, title, rng)


def _stepped(series: Series, title: str, rng: Random) -> list[str]:
    step, items = _STEPS[title], series.items
    other = step // abs(step)
    # Another item where the series has an end.
    reach = 2 if abs(step) == 2 or title in ("between", "check after") else 1
    start, end = 0, len(items)
    if not series.rounds:
        start, end = (0, end - reach) if step > 0 else (reach, end)
    at = rng.randrange(start, end)

    def item(shift: int) -> str:
        return items[(at + shift) % len(items)]

    slots = {"x": item(0), "y": item(step), "o": item(other), "k": series.kind}
    slots["z"] = item(-1) if title == "tomorrow" else item(2)
    table = read_sections("order")[title]
    answers = table["!"]
    if title == "check after" and rng.random() < 0.5:
        slots["r"] = slots["y"]
        slots["y"] = rng.choice([one for one in items if not _near(series, at, one)])
        answers = table["="]
    slots |= _capitals(slots)
    if step in (1, -1) and title != "check after" and rng.random() < 0.07:
        short = relations.in_one_word(_fitting(table["?"], series), slots["y"], rng, slots)
        if short:
            return short
    turns = [_typed(table["?"], rng, series, slots), pick(_parts(answers), rng, **slots)]
    if title in ("after", "before") and rng.random() < 0.25:
        further = at + 2 * step
        if series.rounds or 0 <= further < len(items):
            old = slots["y"]
            slots |= {"x": old, "y": items[further % len(items)], "w": title}
            slots |= _capitals(slots)
            follow = _parts(read_sections("order")["follow"]["?"])
            turns += [ask(follow, rng, **slots), pick(_parts(table["!"]), rng, **slots)]
    return turns


def _placed(series: Series, title: str, rng: Random) -> list[str]:
    table = read_sections("order")[title]
    at = rng.randrange(len(series.items))
    slots = {"k": series.kind, "t": series.whole}
    if title == "first last":
        at = rng.choice((0, -1))
        slots["f"] = "last" if at else "first"
    else:
        slots["nth"] = ORDINALS[at % len(ORDINALS)]
    slots["x"] = series.items[at]
    slots["number"] = str(at + 1)
    slots["y"] = _LENGTHS.get(slots["x"], "31 days")
    slots["all"] = listed(series.items)
    slots |= _capitals(slots)
    questions = _parts(table["?"])
    if title == "first last":
        # "With which letter does the alphabet end?" goes with one of the two.
        wrong = "(begin|start|end)"
        right = "end" if slots["f"] == "last" else "(begin|start)"
        questions = tuple(text.replace(wrong, right) for text in questions)
    answer = pick(_parts(table["!"]), rng, **slots)
    return [ask(questions, rng, **slots), answer]


def _near(series: Series, at: int, item: str) -> bool:
    return item in (series.items[at], series.items[(at + 1) % len(series.items)])


def _typed(lines: tuple[str, ...], rng: Random, series: Series, slots: dict[str, str]) -> str:
    # A bare "a" would read as an article.
    typed = pick if series.kind == "letter" else ask
    return typed(_fitting(lines, series), rng, **slots)


def _fitting(lines: tuple[str, ...], series: Series) -> tuple[str, ...]:
    """Wordings for a series: a letter does not end, and a number is not over."""
    questions = _parts(lines)
    if series.kind in ("letter", "number"):
        return tuple(part for part in questions if "{k}" in part and not _of_time(part))
    if series.kind == "planet":
        return tuple(part for part in questions if not _of_time(part))
    return questions


def _of_time(part: str) -> bool:
    words = ("over", "past", "ends", "begin", "starts", "stops", "do we", "we have", "Do we")
    return any(word in part for word in words)


def _parts(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.strip() for line in lines for part in line.split(" / "))


def _capitals(slots: dict[str, str]) -> dict[str, str]:
    return {
        key.upper(): slots[key][:1].upper() + slots[key][1:] for key in ("x", "y") if key in slots
    }
