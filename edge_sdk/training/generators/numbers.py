"""Counting, comparing and small sums, with many wordings and one true answer.

It knows numbers to a hundred and the wordings of sums.txt; it does not know other facts.
"""

from __future__ import annotations

import re
from random import Random

from edge_sdk.training.generators.phrasing import ask, expand, pick, rough
from edge_sdk.training.generators.tables import read_lines, read_sections

_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
NUMBERS = tuple(_TO_TWENTY.split())
_SIGNS = {"plus": "+", "minus": "-", "times": "(*|x)"}
_TO_ADD = tuple((a, b) for a in range(21) for b in range(21 - a))
_BEYOND = tuple((a, b) for a in range(21) for b in range(21) if a + b > 20)
_TO_SUBTRACT = tuple((a, b) for a in range(21) for b in range(a + 1))
_TO_MULTIPLY = tuple((a, b) for a in range(11) for b in range(11))


def number(rng: Random) -> list[str]:
    """Counting, number words, which of two is larger, even and odd."""
    kind = rng.random()
    if kind < 0.4:
        return _larger(rng)
    if kind < 0.6:
        last = rng.randrange(3, 21)
        run = list(map(str, range(1, last + 1)))
        shown = str(last) if rng.random() < 0.6 else NUMBERS[last]
        slots = {"n": shown, "up": ", ".join(run), "down": ", ".join(reversed(run))}
        return _from("count down" if rng.random() < 0.35 else "count", rng, slots)
    value = rng.randrange(0, 21)
    if kind < 0.8:
        word = NUMBERS[value]
        slots = {"n": str(value), "w": word, "W": word.capitalize()}
        return _from("spell" if rng.random() < 0.6 else "figure", rng, slots)
    value = rng.randrange(0, 101)
    right = "odd" if value % 2 else "even"
    asked, other = rng.choice((("even", "odd"), ("odd", "even")))
    yes = "Yes" if asked == right else "No"
    slots = {"n": str(value), "w": asked, "v": other, "r": right, "yes": yes}
    return _from("even" if rng.random() < 0.6 else "even or odd", rng, slots)


def _larger(rng: Random) -> list[str]:
    first, second = rng.sample(range(0, rng.choice((21, 101))), 2)
    word = rng.choice(("larger", "bigger", "greater", "more", "smaller", "less", "higher", "lower"))
    upwards = word in ("larger", "bigger", "greater", "more", "higher")
    right, wrong = (max, min) if upwards else (min, max)
    slots = {"x": str(first), "y": str(second), "w": word}
    slots |= {"r": str(right(first, second)), "s": str(wrong(first, second))}
    slots["yes"] = "Yes" if slots["r"] == slots["x"] else "No"
    return _from("larger" if rng.random() < 0.65 else "is larger", rng, slots)


def sum_(rng: Random) -> list[str]:
    """Sums and differences to 20, products to 10, doubles and halves, little stories of things."""
    kind = rng.random()
    if kind < 0.3:
        return _sum_turns(rng, *rng.choice(_TO_ADD if rng.random() < 0.9 else _BEYOND), "plus")
    if kind < 0.54:
        return _sum_turns(rng, *rng.choice(_TO_SUBTRACT), "minus")
    if kind < 0.67:
        return _sum_turns(rng, *rng.choice(_TO_MULTIPLY), "times")
    if kind < 0.75:
        return _doubled(rng)
    return _little_story(rng)


def result(first: int, second: int, word: str) -> int:
    """What `word` (plus, minus or times) makes of two numbers."""
    return {"plus": first + second, "minus": first - second, "times": first * second}[word]


def _sum_turns(rng: Random, first: int, second: int, word: str) -> list[str]:
    made = result(first, second, word)
    shown = _shown(rng, first, second)
    answers = (
        f"{first} {word} {second} is {made}.",
        f"{first} {word} {second} is {made}.",
        f"{first} {word} {second} is {made}.",
        f"{first} {_SIGNS[word]} {second} = {made}.",
    )
    questions = _parts(word)
    if first == second:
        # "How much more is 4 than 4?" is not asked.
        questions = tuple(part for part in questions if "more" not in part)
    turns = [ask(questions, rng, **shown).strip(), pick(answers, rng)]
    if word != "times" and rng.random() < 0.12 and made <= 20:
        more = rng.randint(1, 10)
        turns += [ask(_parts("after"), rng, b=str(more)), f"{made} plus {more} is {made + more}."]
    return turns


def _doubled(rng: Random) -> list[str]:
    value = rng.randint(1, 20)
    if rng.random() < 0.5:
        said = f"Double {value} is {2 * value}."
        return [ask(_parts("double"), rng, **_shown(rng, value, value)), said]
    whole = 2 * rng.randint(1, 10)
    said = f"Half of {whole} is {whole // 2}."
    return [ask(_parts("half"), rng, **_shown(rng, whole, whole)), said]


def _little_story(rng: Random) -> list[str]:
    title, word = rng.choice((("more", "plus"), ("more", "plus"), ("fewer", "minus"),
                              ("fewer", "minus"), ("groups", "times")))  # fmt: skip
    head, _, told = rng.choice(read_sections("sums")[title]["*"]).partition(": ")
    one, _, many = head.partition("/")
    while True:
        first, second = rng.choice({"plus": _TO_ADD, "minus": _TO_SUBTRACT}.get(word, _TO_MULTIPLY))
        if min(first, second) >= 2:
            break
    if "wheels" in told:
        second = 2 if "bicycles" in (told := expand(told, rng)) else 4
    made = result(first, second, word)
    name, other = rng.sample(" ".join(read_lines("names")).split(), 2)
    shown = _shown(rng, first, second)
    question = expand(told, rng, **shown, N=name, M=other)
    # A number word may begin a sentence.
    question = re.sub(r"(?<=[.] )[a-z]", lambda found: found[0].upper(), question)
    things = f"{made} {one if made == 1 else many}" if made else f"no {many}"
    answers = (
        f"{first} {word} {second} is {made}, so {things}.",
        f"{first} {word} {second} is {made}, so {things}.",
        f"{first} {word} {second} is {made}.",
    )
    return [rough(question, rng, kept=(name, other, *shown.values())), pick(answers, rng)]


def _shown(rng: Random, first: int, second: int) -> dict[str, str]:
    """Two numbers as figures, or as words where both are small."""
    if max(first, second) <= 20 and rng.random() < 0.3:
        return {"a": NUMBERS[first], "b": NUMBERS[second]}
    return {"a": str(first), "b": str(second)}


def _from(title: str, rng: Random, slots: dict[str, str]) -> list[str]:
    answers = tuple(
        part for line in read_sections("sums")[title]["!"] for part in line.split(" / ")
    )
    return [ask(_parts(title), rng, **slots), pick(answers, rng, **slots)]


def _parts(title: str) -> tuple[str, ...]:
    lines = read_sections("sums")[title]["?"]
    return tuple(part.strip() for line in lines for part in line.split(" / "))
