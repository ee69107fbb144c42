"""Facts that everybody knows: calendar, colours, opposites, animals, numbers, letters, words.

It knows the tables of opposites.txt, colours.txt, animals.txt, words.txt and facts.txt; each kind
has many wordings and one true answer.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from edge_sdk.training.generators import numbers
from edge_sdk.training.generators.phrasing import ask, listed, pick, with_article
from edge_sdk.training.generators.tables import read_lines, read_rows

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
PLANETS = ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune")
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
_MIXES = {
    ("blue", "yellow"): "green",
    ("red", "yellow"): "orange",
    ("red", "blue"): "purple",
    ("black", "white"): "grey",
    ("red", "white"): "pink",
}


def exchange(rng: Random) -> list[str]:
    """One question of any kind and its answer, sometimes with a second that refers back."""
    kinds: tuple[Callable[[Random], list[str]], ...] = (
        calendar,
        opposite,
        opposite,
        colour,
        animal,
        fact,
        fact,
        fact,
        numbers.number,
        numbers.letter,
        planet,
    )
    return rng.choice(kinds)(rng)


def calendar(rng: Random) -> list[str]:
    """What comes after or before a day or a month, and how many days a month has."""
    names, what = ((DAYS, "day"), (MONTHS, "month"))[rng.random() < 0.5]
    at, step = rng.randrange(len(names)), rng.choice((1, 1, -1))
    name, other = names[at], names[(at + step) % len(names)]
    word = "after" if step == 1 else "before"
    kind = rng.random()
    if kind < 0.5:
        questions = (
            f"(What|Which) {what} (comes|is) (right |){word} {{x}}?",
            f"(What|Tell me what) comes {word} {{x}}?",
            f"{{x}}: (what|which {what}) is {word} it?",
        ) + ((f"(Which|What) {what} follows {{x}}?",) if step == 1 else ())
        answers = (f"{{y}} comes {word} {{x}}.", f"{{y}} comes {word} {{x}}.", "It is {y}.")
        turns = [ask(questions, rng, x=name), pick(answers, rng, x=name, y=other)]
        if rng.random() < 0.35:
            third = names[(at + 2 * step) % len(names)]
            follow = (
                f"And (what comes |){word} that?",
                f"And {word} {{y}}?",
                f"And {word} that one?",
            )
            turns += [ask(follow, rng, y=other), pick(answers, rng, x=other, y=third)]
        return turns
    if kind < 0.65 and what == "day":
        questions = (
            "If (today is|it is) {x}( today|), what (day is tomorrow|is tomorrow)?",
            "Today is {x}. What (day is|is) (it |)tomorrow?",
            "Today is {x}. (Which|What) day was yesterday?",
        )
        question = rng.choice(questions)
        step = -1 if "yesterday" in question else 1
        other = names[(at + step) % len(names)]
        said = "Yesterday was {y}." if step == -1 else "Tomorrow is {y}."
        return [ask((question,), rng, x=name), pick((said,), rng, y=other)]
    if kind < 0.8:
        nth, total = ORDINALS[at], "week" if what == "day" else "year"
        if rng.random() < 0.5:
            question = ask((f"(What|Which) is the {nth} {what} of the {total}?",), rng)
            return [question, f"{name} is the {nth} {what} of the {total}."]
        question = ask((f"(Which number|What number) is {{x}} in the {total}?",), rng, x=name)
        return [question, f"{name} is the {nth} {what} of the {total}."]
    if what == "month":
        length = _LENGTHS.get(name, "31 days")
        questions = (
            "How many days (are in {x}|has {x}|does {x} have)?",
            "How long is {x}?",
            "Days in {x}?",
        )
        return [ask(questions, rng, x=name), f"{name} has {length}."]
    questions = (f"(Name|List|What are|Tell me) (all |)the {what}s of the week.",)
    return [ask(questions, rng), f"{listed(DAYS)}."]


def opposite(rng: Random) -> list[str]:
    """The opposite of a word; sometimes of several after each other."""
    questions = (
        "(What is|What's|Tell me|Give me) the opposite of {w}?",
        "(The |)opposite of {w}?",
        "(What|Which word) is opposite to {w}?",
        "(Do you know|Can you tell me) the opposite of {w}?",
        "If (something|it) is not {w}, what is its opposite?",
        "What do you call the opposite of {w}?",
    )
    answers = (
        "The opposite of {w} is {o}.",
        "The opposite of {w} is {o}.",
        "{O}.",
        "The opposite of {w} is {o}, (of course|I think).",
        "{O} is the opposite of {w}.",
    )
    turns: list[str] = []
    for wordings in (questions, ("And (of |){w}?", "(And|Now|What about) {w}?")):
        row = rng.choice(read_rows("opposites"))
        word, other = row[:2]
        if len(row) == 2 and rng.random() < 0.5:
            word, other = other, word
        turns += [ask(wordings, rng, w=word), pick(answers, rng, w=word, o=other, O=other)]
        if rng.random() < 0.7:
            break
    return turns


def colour(rng: Random) -> list[str]:
    """The colour of a thing, or of a mixture."""
    spelt = rng.choice(("colour", "color"))
    if rng.random() < 0.2:
        return _mixture(rng, spelt)
    thing, value = rng.choice(read_rows("colours"))
    questions = (
        f"(What|Which) {spelt} is {{t}}?",
        f"(What is|Tell me) the {spelt} of {{t}}?",
        f"(What|Which) {spelt} does {{t}} have?",
        f"{spelt} of {{t}}?",
    )
    answers = (
        "{T} is {v}.",
        "It is {v}.",
        "{V}.",
        "{T} is {v}, (I think|as far as I know|of course).",
    )
    slots = {"t": thing, "T": thing[0].upper() + thing[1:], "v": value, "V": value}
    return [ask(questions, rng, **slots), pick(answers, rng, **slots)]


def _mixture(rng: Random, spelt: str) -> list[str]:
    (first, second), mixed = rng.choice(list(_MIXES.items()))
    if rng.random() < 0.5:
        first, second = second, first
    questions = (
        f"(What|Which) {spelt} do you get (from|if you mix) {{a}} and {{b}}?",
        "(What|Which colour) do {a} and {b} make?",
        "{a} and {b} mixed?",
    )
    answers = ("{a} and {b} make {m}.", "You get {m}.", "Mixed, {a} and {b} give {m}.")
    slots = {"a": first, "b": second, "m": mixed}
    return [ask(questions, rng, **slots), pick(answers, rng, **slots)]


def animal(rng: Random) -> list[str]:
    """Sounds, young, legs and homes of animals."""
    name, sound, young, legs, home = rng.choice(read_rows("animals"))
    one = with_article(name)
    kinds: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "legs": (
            ("How many legs (has {one}|does {one} have)?", "(Legs of|Number of legs of) {one}?"),
            ("{One} has {legs} legs.",),
        ),
        "home": (
            ("Where does {one} live?", "(What|Where) is the home of {one}?"),
            ("{One} lives {home}.", "It lives {home}."),
        ),
    }
    if sound:
        kinds["sound"] = (
            (
                "(What|Which) sound does {one} make?",
                "What does {one} say?",
                "How does {one} sound?",
            ),
            ("{One} says {sound}.", "It goes {sound}.", "{Sound}!"),
        )
    if young:
        kinds["young"] = (
            (
                "What is (a young|a baby) {name} called?",
                "What do you call (a baby|a young) {name}?",
            ),
            ("A young {name} is called a {young}.".replace("a {young}", with_article(young)),),
        )
    questions, answers = kinds[rng.choice(list(kinds))]
    slots = {
        "one": one,
        "One": one[0].upper() + one[1:],
        "name": name,
        "legs": legs,
        "home": home,
        "sound": sound,
        "Sound": sound,
        "young": young,
    }
    return [ask(questions, rng, **slots), pick(answers, rng, **slots)]


def fact(rng: Random) -> list[str]:
    """One of facts.txt."""
    questions, _, answers = rng.choice(read_lines("facts")).partition(" = ")
    return [ask(questions.split(" / "), rng), pick(answers.split(" / "), rng)]


def planet(rng: Random) -> list[str]:
    """The order of the planets."""
    at = rng.randrange(8)
    name, nth = PLANETS[at], ORDINALS[at]
    if rng.random() < 0.5:
        questions = (
            f"(Which|What) is the {nth} planet( from the Sun|)?",
            f"Name the {nth} planet.",
        )
        return [ask(questions, rng), f"{name} is the {nth} planet from the Sun."]
    step, word = rng.choice(((1, "after"), (-1, "before")))
    if not 0 <= at + step < 8:
        return fact(rng)
    question = ask((f"(Which|What) planet comes {word} {{x}}?",), rng, x=name)
    return [question, f"{PLANETS[at + step]} comes {word} {name}."]


def word(rng: Random) -> list[str]:
    """What a common word means."""
    name, kind, meaning = rng.choice(read_rows("words"))
    nouns = ("(What is|What's|Explain|Describe) {one}?", "(Do you know|Tell me) what {one} is?")
    questions = (
        "What does (the word |){w} mean?",
        "(Define|Explain)( the word|) {w}.",
        "(What is|Tell me) the meaning of {w}?",
        "Meaning of {w}?",
    )
    if kind == "n":
        plural = name.endswith("s") and name not in ("glass",)
        one = name if plural or name in _MASS else with_article(name)
        verb = "are" if plural else "is"
        question = ask(questions + (nouns if not plural else ()), rng, w=name, one=one)
        return [question, f"{one[0].upper() + one[1:]} {verb} {meaning}."]
    if kind == "v":
        answers = ("To {w} means to {m}.", "To {w} is to {m}.")
    else:
        answers = ("{W} means {m}.", "Someone or something {w} is {m}.")
    question = ask(questions, rng, w=name)
    return [question, pick(answers, rng, w=name, W=name, m=meaning)]


_MASS = {
    "autumn",
    "bread",
    "butter",
    "cheese",
    "flour",
    "frost",
    "fruit",
    "glass",
    "honey",
    "ice",
    "ink",
    "jam",
    "juice",
    "luggage",
    "medicine",
    "milk",
    "money",
    "music",
    "noon",
    "paint",
    "paper",
    "pepper",
    "rain",
    "salt",
    "sand",
    "silence",
    "smoke",
    "snow",
    "soap",
    "soil",
    "soup",
    "spring",
    "sugar",
    "summer",
    "sunrise",
    "sunset",
    "thunder",
    "weather",
    "wind",
    "winter",
    "wool",
}
