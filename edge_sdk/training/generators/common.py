"""Facts that everybody knows: opposites, colours, words and letters, and the other tables.

It knows the wordings of common.txt; each question has many wordings and one true answer.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from edge_sdk.training.generators import numbers, order, relations
from edge_sdk.training.generators.phrasing import ask, pick, with_article
from edge_sdk.training.generators.tables import read_lines, read_rows, read_sections


def exchange(rng: Random) -> list[str]:
    """One question of any kind and its answer, sometimes with a second that refers back."""
    makers: tuple[Callable[[Random], list[str]], ...] = (
        order.exchange,
        relations.exchange,
        relations.yes_or_no,
        opposite,
        colour,
        fact,
        numbers.number,
        letter,
    )
    return rng.choices(makers, (20, 30, 10, 10, 8, 14, 5, 3))[0](rng)


def opposite(rng: Random) -> list[str]:
    """The opposite of a word; sometimes of several after each other."""
    table = read_sections("common")["opposite"]
    if rng.random() < 0.08:
        word, other = rng.choice(read_rows("opposites"))[:2]
        slots = {"w": word, "o": other}
        return [ask(_parts(table["-"]), rng, **slots), pick(_parts(table["="]), rng, **slots)]
    turns: list[str] = []
    for mark in "?<<":
        row = rng.choice(read_rows("opposites"))
        word, other = row[:2]
        if len(row) == 2 and rng.random() < 0.5:
            word, other = other, word
        slots = {"w": word, "o": other, "O": other}
        short: list[str] = []
        if rng.random() < 0.14:
            short = relations.in_one_word(_parts(table[mark]), other, rng, slots)
        answer = pick(_parts(table["!"]), rng, **slots)
        turns += short or [ask(_parts(table[mark]), rng, **slots), answer]
        if rng.random() < 0.75:
            break
    return turns


def colour(rng: Random) -> list[str]:
    """The colour of a thing, a thing of a colour, or whether it has a colour."""
    table = read_sections("common")["colour"]
    thing, value = rng.choice(read_rows("colours"))
    slots = {"t": thing, "T": thing[0].upper() + thing[1:], "v": value, "V": value}
    slots["c"] = rng.choice(("colour", "colour", "color"))
    chance = rng.random()
    plain = " " not in value
    if plain and chance < 0.18:
        return [ask(_parts(table["<"]), rng, **slots), pick(_parts(table[">"]), rng, **slots)]
    if plain and chance < 0.36:
        right = rng.random() < 0.5
        others = ("red", "blue", "green", "yellow", "white", "black", "purple", "orange", "pink")
        slots["o"] = value if right else rng.choice([one for one in others if one != value])
        told = f"{thing} is {value}."
        answer = f"Yes, {told}" if right else f"No, {told}"
        return [ask(_parts(table["-"]), rng, **slots), answer]
    if plain and rng.random() < 0.12:
        turns = relations.in_one_word(_parts(table["?"]), value, rng, slots)
        if turns:
            return turns
    return [ask(_parts(table["?"]), rng, **slots), pick(_parts(table["!"]), rng, **slots)]


def fact(rng: Random) -> list[str]:
    """A line of facts.txt."""
    asked, told = rng.choice(read_lines("facts")).split(" = ", 1)
    answer = pick(_parts((told,)), rng)
    return [ask(_parts((asked,)), rng), answer]


def letter(rng: Random) -> list[str]:
    """The first and the last letter of a word."""
    word_ = rng.choice(read_rows("words"))[0]
    title = "first letter" if rng.random() < 0.65 else "last letter"
    table = read_sections("common")[title]
    found = word_[0 if title == "first letter" else -1].upper()
    answer = pick(_parts(table["!"]), rng, w=word_, W=word_.capitalize(), l=found)
    return [ask(_parts(table["?"]), rng, w=word_), answer]


def word(rng: Random) -> list[str]:
    """What a common word means, or which word means something."""
    name, kind, meaning = rng.choice(read_rows("words"))
    plural = kind == "n" and name.endswith("s") and name not in ("glass",)
    one = name if plural or name in _MASS.split() or kind != "n" else with_article(name)
    one = "an hour" if name == "hour" else f"the {name}" if name in _ONLY else one
    slots = {"w": name, "W": name.capitalize(), "one": one, "m": meaning}
    slots["One"] = one[:1].upper() + one[1:]
    tables = read_sections("common")
    if rng.random() < 0.3:
        return _word_back(rng, kind, plural, slots)
    questions = _parts(tables["word"]["?"])
    if kind == "n":
        if not plural:
            questions += 2 * _parts(tables["word noun"]["?"])
        verb = "are" if plural else "is"
        return [ask(questions, rng, **slots), f"{slots['One']} {verb} {meaning}."]
    answers = ("To {w} means to {m}.", "To {w} is to {m}.")
    if kind == "a":
        answers = ("{W} means {m}.", "Someone or something {w} is {m}.")
    return [ask(questions, rng, **slots), pick(answers, rng, **slots)]


def _word_back(rng: Random, kind: str, plural: bool, slots: dict[str, str]) -> list[str]:
    """From a meaning to its word."""
    tables = read_sections("common")
    questions = _parts(tables["word back"]["?"])
    if kind == "n" and not plural:
        questions += _parts(tables["word back noun"]["?"])
    asked = slots | ({"m": f"to {slots['m']}"} if kind == "v" else {})
    verb = "are" if plural else "is"
    answers: tuple[str, ...] = (f"{{One}} {verb} {{m}}.", "The word is {w}.", "That is {one}.")
    if plural:
        answers = answers[:2]
    elif kind == "v":
        answers = ("The word is {w}.", "To {w} means to {m}.", "It is the word {w}.")
    elif kind == "a":
        answers = ("The word is {w}.", "{W} means {m}.", "It is the word {w}.")
    return [ask(questions, rng, **asked), pick(answers, rng, **slots)]


def _parts(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.strip() for line in lines for part in line.split(" / "))


_ONLY = {"horizon", "sky", "world", "moon", "sun", "internet"}
_MASS = (
    "autumn bread butter cheese electricity flour fog frost fruit glass gravity honey ice ink jam "
    "juice lightning luggage medicine milk money music noon paint paper pepper rain salt sand "
    "silence smoke snow soap soil soup spring sugar summer sunrise sunset thunder weather wind "
    "winter wool yeast"
)
