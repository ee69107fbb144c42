"""Plain facts from tables: what an animal says, what a tool is for, which of two is bigger.

It knows the line formats of relations.txt and yesno.txt; it does not know the facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from random import Random

from edge_sdk.training.generators.phrasing import ask, expand, listed, lower_first, pick, rough
from edge_sdk.training.generators.tables import read_sections

Rows = tuple[tuple[str, ...], ...]

_ONE_WORD = (
    "{Q} (One|A single) word(, please|).",
    "(In|With) one word: {q}",
    "{Q} (Just|Only) the word(, please|).",
    "Answer (in|with) (one word|a single word)( only|): {q}",
    "{Q} Answer (in|with) (one word|a single word)( only|).",
    "One word answer: {q}",
    "{Q} No sentence, just the word.",
)
_GAP = (
    "(Fill|Fill in|Close) the (gap|blank): {g}",
    "(Complete|Finish)( this| the sentence|): {g}",
    "{g} (What|Which word) (belongs in|fits) the (gap|blank)?",
    "{g} What is missing?",
    "What is missing here? {g}",
    "{g}",
)
_CLAIMS = (
    "(Is it|Is this) (true|right|correct) that {s}?",
    "(True or false|Right or wrong|True or not): {s}?",
    "{S}. (Is that|Is this) (true|right|so|correct)?",
    "{S}. (Am I right|Right|Correct|Yes or no)?",
    "(I think|I would say|I believe) {s}.",
    "(Somebody told me|My friend says|I read|I heard) that {s}. Is (it|that) (true|so)?",
    "(Can you confirm|Would you agree) that {s}?",
    "So {s}, (right|yes|correct)?",
)
_RIGHT = ("Yes. {S}.", "That's right. {S}.", "Yes, {s}.", "True. {S}.")
_WRONG = ("No. {S}.", "That's not right. {S}.", "No, {s}.", "Not quite. {S}.")
_NAME = (
    "(Name|Tell me|Give me|List|I need) {k} {m}.",
    "{k} {m}(, please|)?",
    "Can you (name|list|think of) {k} {m}?",
    "(What are|Which are|Do you know) {k} {m}?",
    "(Some|A few) {m}, say {k}?",
    "Examples of {m}: {k} of them(, please|).",
)
_PLURALS = {
    "fish": "kinds of fish",
    "piece of furniture": "pieces of furniture",
    "piece of clothing": "pieces of clothing",
}
_SCALE = (
    "Is {x} {w} than {y}?",
    "Would you say that {x} is {w} than {y}?",
    "Is it (true|right) that {x} is {w} than {y}?",
    "{X} is {w} than {y}, (right|isn't it|yes)?",
    "Compared with {y}, is {x} {w}?",
    "(True or false|Yes or no): {x} is {w} than {y}?",
    "I (think|say|believe) {x} is {w} than {y}. (Am I right|Is that so)?",
    "(My son says|I heard) that {x} is {w} than {y}. Is that (true|so)?",
    "{X}: {w} than {y}?",
    "{X} {w} than {y}?",
    "(Can|Could) {x} be {w} than {y}?",
    "Of {x} and {y}, {x} is {w}, (right|isn't it)?",
    "If I compare {x} with {y}, is {x} {w}?",
    "Does it hold that {x} is {w} than {y}?",
    "Do you agree that {x} is {w} than {y}?",
    "Next to {y}, is {x} {w}?",
)
_WHICH = (
    "(Which|What) is {w}, {x} or {y}?",
    "(Which|What) is {w}: {x} or {y}?",
    "{X} or {y}: (which|what) is {w}?",
    "{X} or {y}, which one is {w}?",
    "Of {x} and {y}, which is {w}?",
    "(Which one|Which of the two) is {w}, {x} or {y}?",
    "(Compare|Take) {x} and {y}. Which is {w}?",
    "There is {x}, and there is {y}. Which is {w}?",
    "(Tell me|Say) which is {w}, {x} or {y}.",
    "The {w} one: {x} or {y}?",
    "Who wins if the {w} one wins: {x} or {y}?",
    "I want the {w} one: {x} or {y}?",
    "{X} and {y}: which one is {w}?",
    "I can't decide which is {w}, {x} or {y}. You?",
    "Pick the {w} of the two: {x} or {y}.",
    "Would you call {x} or {y} the {w} one?",
    "My (son|daughter) asks what is {w}, {x} or {y}.",
)
_AS = (
    "Is {x} as {a} as {y}?",
    "Are {x} and {y} equally {a}?",
    "Is {y} just as {a} as {x}?",
    "{X} and {y}: equally {a}?",
)


def exchange(rng: Random) -> list[str]:
    """A question about one row of one table; larger tables are asked for more."""
    tables = read_sections("relations")
    # Between "each table alike" and "each row alike".
    weights = [len(table["*"]) ** 0.5 for table in tables.values()]
    table = rng.choices(list(tables.values()), weights)[0]
    rows, row = _rows(table), rng.choice(_rows(table))
    slots, options = _slots(row), " ".join(table.get("~", ())).split()
    chance = rng.random()
    if "group" in options and chance < 0.12 and (turns := _several(rows, row, rng)):
        return turns
    if "check" in options and chance < 0.24:
        return _claim(table, rows, row, rng)
    if "<" in table and chance < 0.5:
        return [_asked(table["<"], rng, slots), _said(table[">"], rng, slots)]
    if chance > 0.9 and ("check" in options or "one" in options):
        return _gap(table, slots, rng)
    if "one" in options and chance > 0.82:
        turns = in_one_word(_wordings(table["?"]), slots["m"], rng, slots)
        if turns:
            return turns
    return [_asked(table["?"], rng, slots), _said(table["!"], rng, slots)]


def in_one_word(
    questions: Sequence[str], word: str, rng: Random, slots: Mapping[str, str]
) -> list[str]:
    """One of `questions` that asks for a single word, and `word`; empty if it is no question."""
    question = pick(questions, rng, **slots)
    if not question.endswith("?"):
        return []
    framed = {"q": lower_first(question), "Q": question}
    return [ask(_ONE_WORD, rng, **framed), f"{_upper(word)}."]


def yes_or_no(rng: Random) -> list[str]:
    """What a thing is or can, and which of two is more of something."""
    tables = read_sections("yesno")
    title = rng.choices(list(tables), [12, 5, *[1] * (len(tables) - 2)])[0]
    table = tables[title]
    if "?" not in table:
        return _compared(table, rng)
    thing, right, wrong = rng.choice(_rows(table))
    verb = "is" if title == "is" else "can"
    asked = rng.choice((right, wrong))
    slots = {"x": thing, "X": _upper(thing), "p": asked, "q": wrong if asked == right else right}
    slots["P"] = _upper(slots["p"])
    if "<" in table and rng.random() < 0.3:
        return [_asked(table["<"], rng, slots), f"{_upper(thing)} is {right}."]
    question = _asked(table["?"], rng, slots)
    if asked == right:
        return [question, rng.choice(("Yes, {x} {v} {p}.", "Yes. {X} {v} {p}.")).format(
            x=thing, X=_upper(thing), v=verb, p=right)]  # fmt: skip
    if verb == "can":
        return [question, f"No, {thing} cannot {wrong}. It can {right}."]
    return [question, f"No, {thing} is {right}, not {wrong}."]


def _compared(table: Mapping[str, tuple[str, ...]], rng: Random) -> list[str]:
    more, less, plain = (word.strip() for word in table["~"][0].split("|"))
    low, high = sorted(rng.sample(range(len(table["*"])), 2))
    small, big = table["*"][low], table["*"][high]
    first, second = rng.choice(((small, big), (big, small)))
    chance = rng.random()
    word = more if rng.random() < 0.6 else less
    top, other = (big, small) if word == more else (small, big)
    slots = {"x": first, "X": _upper(first), "y": second, "w": word, "a": plain}
    said = f"{top} is {word} than {other}."
    if chance < 0.45:
        return [ask(_WHICH, rng, **slots), _upper(said)]
    if chance < 0.55:
        said = f"{big} is {more} than {small}."
        return [ask(_AS, rng, **slots), f"No, {said}"]
    return [ask(_SCALE, rng, **slots), f"{'Yes' if first == top else 'No'}, {said}"]


@cache
def _wordings(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.strip() for line in lines for part in line.split(" / "))


def _rows(table: Mapping[str, tuple[str, ...]]) -> Rows:
    return tuple(tuple(part.strip() for part in line.split("|")) for line in table["*"])


def _slots(row: tuple[str, ...]) -> dict[str, str]:
    thing, value = row[:2]
    return {
        "x": thing,
        "X": _upper(thing),
        "n": _without_article(thing),
        "v": value,
        "V": _upper(value),
        "m": _without_article(value),
        "u": row[-1],
    }


def _asked(lines: tuple[str, ...], rng: Random, slots: Mapping[str, str]) -> str:
    return ask(_wordings(lines), rng, **slots)


def _said(lines: tuple[str, ...], rng: Random, slots: Mapping[str, str]) -> str:
    return pick(_wordings(lines), rng, **slots)


def _several(rows: Rows, row: tuple[str, ...], rng: Random) -> list[str]:
    """Two to four things of a group; empty if there is only one."""
    members = [_without_article(one[0]) for one in rows if one[1] == row[1]]
    if len(members) < 2:
        return []
    count = rng.randint(2, min(4, len(members)))
    shown = rng.choice((str(count), ("two", "three", "four")[count - 2]))
    noun = _without_article(row[1])
    question = ask(_NAME, rng, m=_PLURALS.get(noun, f"{noun}s"), k=shown)
    return [question, _upper(listed(rng.sample(members, count))) + "."]


def _claim(table: Mapping[str, tuple[str, ...]], rows: Rows, row: tuple[str, ...], rng: Random
           ) -> list[str]:  # fmt: skip
    """A statement that is right, or has the value of another row and is wrong."""
    true = expand(_wordings(table["!"])[0], rng, **_slots(row))
    allowed = {one[1] for one in rows if one[0] == row[0] and one[-1] == row[-1]}
    others = sorted({one[1] for one in rows} - allowed)
    right = rng.random() < 0.5 or not others
    said = true
    if not right:
        said = expand(
            _wordings(table["!"])[0], Random(0), **_slots((row[0], rng.choice(others), *row[2:]))
        )
    return [_claimed(said, row[0], rng), _judged(true, row[0], right, rng)]


def _claimed(said: str, thing: str, rng: Random) -> str:
    return ask(_CLAIMS, rng, s=_inside(said, thing), S=said.rstrip("."))


def _judged(true: str, thing: str, right: bool, rng: Random) -> str:
    answers = _RIGHT if right else _WRONG
    return pick(answers, rng, s=_inside(true, thing), S=true.rstrip("."))


def _inside(said: str, thing: str) -> str:
    """A statement to stand inside a sentence; a name at its beginning keeps its capital."""
    said = said.rstrip(".")
    return said if said.startswith(thing) else lower_first(said)


def _gap(table: Mapping[str, tuple[str, ...]], slots: Mapping[str, str], rng: Random) -> list[str]:
    """The first statement with a gap for its value; the answer is the whole statement."""
    template = _wordings(table["!"])[0]
    whole = expand(template, rng, **slots)
    mark = rng.choice(("___", "...", "____", "_"))
    left = expand(template.replace("{v}", mark).replace("{V}", mark), rng, **slots)
    if mark == "..." and left.endswith("...."):
        left = left[:-1]
    return [rough(pick(_GAP, rng, g=left), rng), whole]


def _without_article(text: str) -> str:
    head, _, rest = text.partition(" ")
    return rest if head in ("a", "an") else text


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
