"""Values that nobody can guess: names, places, titles, codes, times, so that they must be copied.

It knows sounds and forms; the lists of real words are in things.txt and names.txt, the
sounds in sounds.txt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from random import Random

from edge_sdk.training.generators.phrasing import with_article
from edge_sdk.training.generators.tables import read_lines, read_rows

_RUDE = re.compile(
    r"nig|fag|rap[ei]|anus|anal|peni|shit|fuc?k|cu[mn]t|sl[ou]t|nazi|hit+le|tit|dic?k|porn|shat"
)
_HOURS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")
_LETTERS = "ABCDEFGHKLMNPRSTUVWXZ"


@cache
def lists() -> Mapping[str, tuple[str, ...]]:
    """The lists of things.txt."""
    return {title: tuple(words.split(", ")) for title, words in read_rows("things")}


def one(title: str, rng: Random) -> str:
    """A word of the list `title`."""
    return rng.choice(lists()[title])


def made_name(rng: Random) -> str:
    """A name of 3 to 11 letters that nobody has; one capital letter, no marks.

    Half of them begin like a real one or differ from it by a letter: guessing fails there.
    """
    while True:
        text = rng.choice((_sounds, _sounds, _begun, _changed))(rng)
        odd = re.search(r"(.)\1\1|[^aeiouy]{5}|[aeiouy]{4}", text)
        vowel = re.search("[aeiouy]", text)
        if 3 <= len(text) <= 11 and vowel and not odd and not _RUDE.search(text):
            return text.capitalize()


@cache
def _sound_lists() -> Mapping[str, tuple[str, ...]]:
    return {title: tuple(sounds.split()) for title, sounds in read_rows("sounds")}


def _sound(title: str, rng: Random) -> str:
    return rng.choice(_sound_lists()[title])


def _sounds(rng: Random) -> str:
    parts = [
        _sound("starts", rng).replace("-", "")
        + _sound("vowels", rng)
        + (_sound("stops", rng) if rng.random() < 0.35 else "")
        for _ in range(rng.choice((1, 1, 1, 2, 2)))
    ]
    return _ended("".join(parts), rng) if rng.random() < 0.85 else "".join(parts)


def _begun(rng: Random) -> str:
    """The beginning of a real name with another ending."""
    real = rng.choice(_real_names()).lower()
    return _ended(real[: rng.randint(2, max(2, min(5, len(real) - 1)))], rng)


def _changed(rng: Random) -> str:
    """A real name with one sound changed."""
    real = rng.choice(_real_names()).lower()
    at = rng.randrange(len(real))
    new = rng.choice("aeiou" if real[at] in "aeiouy" else "bdfgklmnprstvz")
    return real[:at] + new + real[at + 1 :]


def _ended(text: str, rng: Random) -> str:
    ending = _sound("endings", rng)
    if ending[0] in "aeiou" and text[-1] in "aeiouy":
        text = text.rstrip("aeiouy") or text
    return text + ending


@cache
def _real_names() -> tuple[str, ...]:
    return tuple(" ".join(read_lines("names")).split())


def person(rng: Random) -> str:
    """A name; half of them are made up, a few have two parts."""
    if rng.random() < 0.5:
        return made_name(rng)
    names = _real_names()
    if rng.random() < 0.03:
        return f"{rng.choice(names)} {rng.choice(names)}"
    return rng.choice(names)


def pet_name(rng: Random) -> str:
    """What a pet is called."""
    if rng.random() < 0.4:
        return made_name(rng)
    if rng.random() < 0.1:
        return rng.choice(("Captain ", "Miss ", "Mister ", "Princess ", "Old ")) + made_name(rng)
    return rng.choice(" ".join(read_lines("pets")).split())


def full_name(rng: Random) -> str:
    """A given name and a family name."""
    return f"{person(rng).split()[0]} {made_name(rng)}"


def town(rng: Random) -> str:
    """A town or village: half of them are real ones."""
    if rng.random() < 0.5:
        return one("cities", rng)
    name = made_name(rng)
    if rng.random() < 0.5:
        name = (name[:6].rstrip("aeiouy") if len(name) > 4 else name) + _sound("townends", rng)
    lead = ("Upper ", "Lower ", "New ", "Old ", "Little ", "Great ", "Saint ", "Port ", "Mount ")
    return rng.choice(lead) + name if rng.random() < 0.15 else name


def street(rng: Random) -> str:
    """A street, with a house number or without."""
    first = made_name(rng) if rng.random() < 0.6 else one("words", rng).split()[0].capitalize()
    name = f"{first} {one('streetkinds', rng)}"
    return f"{rng.randint(1, 299)} {name}" if rng.random() < 0.5 else name


def team(rng: Random) -> str:
    """A team of some sport."""
    first = town(rng) if rng.random() < 0.7 else one("colours", rng).title()
    return f"{first} {one('teamnames', rng)}"


def title(rng: Random) -> str:
    """Of a book that does not exist."""
    thing, look = one("titlewords", rng), one("titlelooks", rng)
    forms = (
        f"The {look} {thing}",
        f"The {thing} of {town(rng)}",
        f"The {look} {thing} of {town(rng)}",
        f"{person(rng)} and the {look} {thing}",
        f"A {thing} for {person(rng)}",
        f"{rng.choice(_HOURS).title()} Days in {town(rng)}",
        f"{look} {thing}s",
    )
    return rng.choice(forms)


def digits(rng: Random) -> str:
    """A code of 3 to 6 figures."""
    return "".join(rng.choice("0123456789") for _ in range(rng.choice((3, 4, 4, 4, 5, 6))))


def door_code(rng: Random) -> str:
    """Figures, or letters and figures."""
    if rng.random() < 0.6:
        return digits(rng)
    letters = "".join(rng.choice(_LETTERS) for _ in range(rng.choice((1, 1, 2, 3))))
    number = rng.randint(1, 999)
    return rng.choice((f"{letters}{number}", f"{letters}-{number}", f"{number}{letters}"))


def password(rng: Random) -> str:
    """A word, two words, or a word and a number."""
    first, second = (one("words", rng).split()[0] for _ in "ab")
    made = made_name(rng).lower()
    forms = (first, f"{first}-{second}", f"{first}{rng.randint(1, 99)}", f"{first} {second}", made)
    return rng.choice(forms)


def number(rng: Random) -> str:
    """From two to four figures, all lengths as often."""
    return str(rng.choice((rng.randint(2, 99), rng.randint(100, 999), rng.randint(1000, 9999))))


def clock_time(rng: Random) -> str:
    """A time of day, in words or figures."""
    hour, minute = rng.randint(1, 12), rng.randrange(0, 60, 5)
    word = rng.choice(_HOURS)
    forms = (
        f"{rng.randint(0, 23)}:{minute:02}",
        f"{hour}:{minute:02}",
        f"half past {word}",
        f"a quarter to {word}",
        f"a quarter past {word}",
        f"{word} o'clock",
        f"{rng.choice(('ten', 'five', 'twenty'))} {rng.choice(('to', 'past'))} {word}",
        f"{word} in the {rng.choice(('morning', 'evening', 'afternoon'))}",
        f"{hour} {rng.choice(('am', 'pm'))}",
    )
    return rng.choice(forms)


def date(rng: Random) -> str:
    """A day of the year."""
    day, month = rng.randint(1, 28), one("months", rng)
    end = {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th") if not 11 <= day <= 13 else "th"
    return rng.choice((f"{day} {month}", f"{day}{end} {month}", f"{month} {day}", f"{day} {month}"))


def price(rng: Random) -> str:
    """An amount of money."""
    unit = rng.choice(("euros", "pounds", "dollars", "francs", "crowns", "euros", "pounds"))
    pence = f".{rng.choice(('50', '99', '20', '75', '40', '05'))}" if rng.random() < 0.3 else ""
    amount = rng.choice((rng.randint(2, 20), rng.randint(21, 99), rng.randint(100, 999)))
    return f"{amount}{pence} {unit}"


def line(rng: Random) -> str:
    """Number of a bus line: figures, now and then with a letter."""
    figure = str(rng.choice((rng.randint(2, 99), rng.randint(2, 99), rng.randint(100, 799))))
    if rng.random() < 0.7:
        return figure
    letter = rng.choice(_LETTERS)
    return rng.choice((letter + figure, figure + letter))


def food(rng: Random) -> str:
    """A dish."""
    if rng.random() < 0.6:
        return one("foods", rng)
    main = one("mains", rng) if rng.random() < 0.5 else f"{one('ways', rng)} {one('mains', rng)}"
    return f"{main} with {one('sides', rng)}"


def colour(rng: Random) -> str:
    """A colour, with a shade or without."""
    if rng.random() < 0.7:
        return one("colours", rng)
    return f"{one('shades', rng)} {one('plaincolours', rng)}"


def thing(rng: Random) -> str:
    """An object with its article: "a dark green lamp"."""
    made = one("objects", rng)
    if rng.random() < 0.45:
        made = f"{colour(rng)} {made}"
    if rng.random() < 0.25:
        made = f"{one('looks', rng)} {made}"
    return with_article(made)


def job(rng: Random) -> str:
    """A job with its article."""
    return with_article(one("jobs", rng))


def creature(rng: Random) -> str:
    """An animal, wild or tame."""
    return one(rng.choice(("animals", "wild")), rng)


MAKERS: Mapping[str, Callable[[Random], str]] = {
    "person": person,
    "petname": pet_name,
    "fullname": full_name,
    "surname": made_name,
    "town": town,
    "street": street,
    "team": team,
    "title": title,
    "digits": digits,
    "doorcode": door_code,
    "password": password,
    "number": number,
    "age": lambda rng: str(rng.randint(6, 97)),
    "small": lambda rng: str(rng.choice((rng.randint(2, 12), rng.randint(2, 99)))),
    "year": lambda rng: str(rng.randint(1931, 2024)),
    "clock": clock_time,
    "date": date,
    "price": price,
    "line": line,
    "food": food,
    "colour": colour,
    "thing": thing,
    "job": job,
    "creature": creature,
}
"""Makers by the names that recall.txt and echo.txt call them; other names are lists' titles."""


def value(kind: str, rng: Random) -> str:
    """A value of a maker, or a word of the list `kind`. Raises KeyError for an unknown one."""
    return MAKERS[kind](rng) if kind in MAKERS else one(kind, rng)
