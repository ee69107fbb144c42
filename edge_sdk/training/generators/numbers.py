"""Counting, letters and small sums, with many wordings and one true answer.

It knows numbers to a hundred; it does not know other facts.
"""

from __future__ import annotations

from random import Random

from edge_sdk.training.generators.phrasing import ask, pick
from edge_sdk.training.generators.tables import read_rows

_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
NUMBERS = tuple(_TO_TWENTY.split())


def number(rng: Random) -> list[str]:
    """Counting, number words, what comes next, which is larger."""
    kind = rng.random()
    if kind < 0.3:
        at = rng.randrange(1, 20)
        step, word = rng.choice(((1, "after"), (-1, "before")))
        shown = str(at) if rng.random() < 0.5 else NUMBERS[at]
        other = str(at + step) if shown.isdigit() else NUMBERS[at + step]
        order = (f"(What|Which) number (comes|is) {word} {{x}}?", f"What comes {word} {{x}}?")
        answers: tuple[str, ...] = (f"{{y}} comes {word} {{x}}.",)
        return [ask(order, rng, x=shown), pick(answers, rng, x=shown, y=other)]
    if kind < 0.6:
        first, second = rng.sample(range(1, 100), 2)
        larger, smaller = max(first, second), min(first, second)
        word, right = rng.choice((("larger", larger), ("bigger", larger), ("smaller", smaller)))
        questions: tuple[str, ...] = (
            f"(Which|What) is {word}, {first} or {second}?",
            f"(Which number|What) is {word}: {first} or {second}?",
            f"{first} or {second}: which is {word}?",
        )
        wrong = smaller if right == larger else larger
        answers = (f"{right} is {word} than {wrong}.", f"{right} is {word}.")
        return [ask(questions, rng), pick(answers, rng)]
    if kind < 0.8:
        last = rng.randrange(3, 13)
        down = rng.random() < 0.3
        run = range(last, 0, -1) if down else range(1, last + 1)
        question = f"(Can you count|Count|Please count) {'down from' if down else 'to'} {last}."
        return [ask((question,), rng), f"{', '.join(map(str, run))}."]
    value = rng.randrange(0, 21)
    if rng.random() < 0.5:
        questions = ("(How do you write|Write|Spell) {n} (as a word|in letters)?", "{n} in words?")
        return [ask(questions, rng, n=str(value)), f"{NUMBERS[value].capitalize()}."]
    even = value % 2 == 0
    asked_even = rng.random() < 0.5
    question = ask(
        ("Is {n} (an |){w}( number|)?",), rng, n=str(value), w="even" if asked_even else "odd"
    )
    verdict = "Yes" if even == asked_even else "No"
    return [question, f"{verdict}, {value} is {'even' if even else 'odd'}."]


def letter(rng: Random) -> list[str]:
    """The alphabet's order, and first letters of words."""
    if rng.random() < 0.6:
        at = rng.randrange(1, 25)
        step, word = rng.choice(((1, "after"), (-1, "before")))
        one, other = chr(65 + at), chr(65 + at + step)
        questions = (
            f"(What|Which) letter (comes|is) {word} {one}?",
            f"What comes {word} {one} in the alphabet?",
        )
        return [pick(questions, rng), f"{other} comes {word} {one}."]
    word = rng.choice(read_rows("words"))[0]
    questions = (
        "(What|Which) letter does {w} (begin|start) with?",
        "What is the first letter of {w}?",
    )
    return [ask(questions, rng, w=word), f"{word.capitalize()} begins with {word[0].upper()}."]


def sum_(rng: Random) -> list[str]:
    """Sums and differences to 20, products to 10, doubles and halves, little stories of things."""
    kind = rng.random()
    first, second = rng.randint(0, 20), rng.randint(0, 20)
    if kind < 0.4:
        first, second = rng.randint(0, 20), rng.randint(0, 20)
        while first + second > 20 and rng.random() < 0.8:
            first, second = rng.randint(0, 20), rng.randint(0, 20)
        return _sum_turns(rng, first, second, "plus", first + second)
    if kind < 0.7:
        first, second = max(first, second), min(first, second)
        return _sum_turns(rng, first, second, "minus", first - second)
    if kind < 0.82:
        first, second = rng.randint(0, 10), rng.randint(0, 10)
        return _sum_turns(rng, first, second, "times", first * second)
    if kind < 0.88:
        value = rng.randint(1, 10)
        asked = rng.choice((("double", value, 2 * value), ("half", 2 * value, value)))
        questions = (f"(What is|How much is) {asked[0]} {'of ' * (asked[0] == 'half')}{asked[1]}?",)
        of = "of " if asked[0] == "half" else ""
        return [ask(questions, rng), f"{asked[0].capitalize()} {of}{asked[1]} is {asked[2]}."]
    return _little_story(rng)


_SIGNS = {"plus": "+", "minus": "-", "times": "(*|x)"}


def _sum_turns(rng: Random, first: int, second: int, word_: str, result: int) -> list[str]:
    sign = _SIGNS[word_]
    questions = (
        f"(What is|What's|How much is|Calculate) {first} {word_} {second}?",
        f"(What is |How much is |){first} {sign} {second}?",
        f"{first} {sign} {second} =",
        f"{first}{sign}{second}?",
        f"(Can you|Could you) (work out|calculate|tell me) {first} {word_} {second}?",
        f"{first} {word_} {second}( is|)?",
        f"{NUMBERS[first]} {word_} {NUMBERS[second]}?",
    )
    answers = (
        f"{first} {word_} {second} is {result}.",
        f"{first} {word_} {second} is {result}.",
        f"{first} {sign} {second} = {result}.",
        f"That is {result}.",
    )
    turns = [ask(questions, rng).strip(), pick(answers, rng)]
    if rng.random() < 0.15 and result + 10 <= 30:
        more = rng.randint(1, 10)
        follow = f"(And|Now) (plus|add) {more}( to that|)?"
        turns += [ask((follow,), rng), f"{result} plus {more} is {result + more}."]
    return turns


def _little_story(rng: Random) -> list[str]:
    name = rng.choice(("Anna", "Tom", "Mia", "Ben", "Lisa", "Omar", "Nina", "Paul"))
    things = rng.choice(("apples", "coins", "books", "eggs", "balls", "pens", "stones", "cups"))
    first, second = rng.randint(2, 12), rng.randint(1, 8)
    if rng.random() < 0.5:
        question = (
            f"{name} has {first} {things} and (gets|finds|buys) {second} more. "
            f"How many( {things}|) (has {name}|are there|is that)( now|)?"
        )
        return [
            ask((question,), rng),
            f"{first} plus {second} is {first + second}, so {first + second} {things}.",
        ]
    second = min(second, first)
    question = (
        f"{name} has {first} {things} and (loses|gives away|sells) {second}. "
        f"How many( {things}|) (are left|remain|has {name} now)?"
    )
    return [
        ask((question,), rng),
        f"{first} minus {second} is {first - second}, so {first - second} {things}.",
    ]
