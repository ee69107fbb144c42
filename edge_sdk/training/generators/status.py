"""Questions on the device's readings: every figure in an answer is one of the line's.

It knows readings and the wordings of status.txt, readings.txt and unseen.txt; it does not know
where real readings come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from edge_sdk.status_line import BACKENDS, FIELDS, Readings
from edge_sdk.training.generators import comparisons
from edge_sdk.training.generators.phrasing import ask, expand, listed, pick
from edge_sdk.training.generators.tables import read_lines, read_sections

WHERE = {
    "cpu": ("the CPU", "the CPU", "the CPU of this machine"),
    "gpu": ("the GPU", "the GPU", "the GPU of this machine"),
    "fpga": ("the FPGA", "the FPGA board", "an FPGA board"),
    "simulator": ("the simulator", "the simulator", "a simulator of the board"),
}
_OTHER = {"cpu": "CPU", "gpu": "GPU", "fpga": "FPGA", "simulator": "simulator"}
_WORDS = {
    "power": "the power",
    "memory": "the memory",
    "speed": "my speed",
    "backend": "the backend",
    "temp": "the temperature",
}
_NO_LINE = (
    "I can't see any readings (here|right now). (Turn on the status line, and I can tell you.|)",
    "I have no readings of the device (right now|here), so I can't say.",
    "(Nobody|No one) gives me readings at the moment, so I would rather not guess.",
    "(There is|I have) no status line (here|right now), so I can't see that.",
)
_UNSEEN = (
    "I can't see {what}. I know only power, memory, speed, backend and temperature.",
    "That is not among my readings: I can't see {what}.",
    "I can't see {what}(, so I don't know|, sorry|: no sensor tells me).",
    "I can't see {what}. My readings tell only of this device.",
)
_POWER = ((0.3, 1), (1, 10), (1, 10), (10, 100), (10, 100), (100, 1000))
_MEMORY = ((1, 10), (10, 100), (10, 100), (100, 1000), (100, 1000), (1000, 10000), (1000, 10000))
_SPEED = ((0.2, 1), (1, 10), (10, 100), (10, 100), (100, 1000), (1000, 10000))
_TEMP = ((3, 10), *((10, 100),) * 8, (100, 130))
"""Ranges, each taken as often as any other: all numbers of digits occur, and all digits in them."""


def random_readings(rng: Random) -> Readings:
    """Readings of all sizes, any of them unknown; sometimes two of them have similar figures."""
    part = rng.choice((1.0, 0.8, 0.8, 0.6))
    drawn = {
        "power": _within(rng, _POWER),
        "memory": _within(rng, _MEMORY),
        "speed": _within(rng, _SPEED),
        "temp": _within(rng, _TEMP),
    }
    if rng.random() < 0.3:
        # Nothing but the field's name tells such figures apart, so the name has to be read.
        name, like = rng.sample(list(drawn), 2)
        most = {"power": 999, "temp": 130}.get(name, 9999)
        drawn[name] = _similar(rng, drawn[like], most)
    known = {name: value for name, value in drawn.items() if rng.random() < part}
    memory = known.get("memory")
    return Readings(
        power=known.get("power"),
        memory=None if memory is None else memory * 1e6,
        speed=known.get("speed"),
        backend=rng.choice(list(BACKENDS.values())) if rng.random() < 0.9 else None,
        temp=known.get("temp"),
    )


def _within(rng: Random, ranges: Sequence[tuple[float, float]]) -> float:
    return rng.uniform(*rng.choice(ranges))


def _similar(rng: Random, value: float, most: float) -> float:
    """The same figure, its neighbour, its digits turned round, ten times as much or a tenth."""
    turned = float(str(int(value))[::-1])
    found = rng.choice((value, value + 1, turned, value * 10, value / 10))
    return found if 1 <= found <= most else rng.uniform(10, 100)


def drift(before: Readings, rng: Random) -> Readings:
    """Readings a little later in the same chat: figures move, what is unknown mostly stays so."""

    def near(value: float | None, share: float) -> float | None:
        return None if value is None else value * rng.uniform(1 - share, 1 + share)

    speed = near(before.speed, 0.2)
    if speed is None and rng.random() < 0.4:
        speed = _within(rng, _SPEED)
    return replace(
        before,
        power=near(before.power, 0.3),
        memory=near(before.memory, 0.03),
        speed=speed,
        temp=near(before.temp, 0.06),
    )


def exchange(rng: Random, seen: Readings) -> list[str]:
    """A question and its answer from what `seen` holds; without readings, an honest refusal."""
    kinds: tuple[Callable[[Random, Readings], list[str]], ...] = (
        _one,
        comparisons.with_limit,
        _several,
        lambda rng, _: unseen(rng),
        _report,
        _on_backend,
        _energy,
        _which,
    )
    kind = rng.choices(kinds, (8, 6, 3, 2, 1.5, 1, 0.5, 0.5))[0]
    # Without readings the question is one that somebody with readings would ask.
    question, answer = kind(rng, seen if seen.figures() else _with_backend(rng))
    if seen.figures() or kind is kinds[3]:
        return [question, answer]
    return [question, pick(_NO_LINE, rng)]


def _with_backend(rng: Random) -> Readings:
    return replace(random_readings(rng), backend=rng.choice(list(BACKENDS.values())))


def unseen(rng: Random) -> list[str]:
    """A reading that no line ever holds."""
    what, *questions = _unseen_rows()[rng.randrange(len(_unseen_rows()))]
    return [ask(questions, rng), pick(_UNSEEN, rng, what=what)]


def _unseen_rows() -> list[list[str]]:
    """What, and its questions; a bar inside brackets divides alternatives, not fields."""
    return [_fields(line) for line in read_lines("unseen")]


def _fields(line: str) -> list[str]:
    fields, depth = [""], 0
    for letter in line:
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and not depth:
            fields.append("")
        else:
            fields[-1] += letter
    return fields


def _slots(seen: Readings, rng: Random) -> dict[str, str]:
    figures = seen.figures()
    if "backend" in figures:
        where = rng.choice(WHERE[figures["backend"]])
        figures |= {"where": where, "where_cap": where[0].upper() + where[1:]}
    return figures


def _part(name: str, mark: str, rng: Random, slots: dict[str, str]) -> str:
    """A part of readings.txt to stand inside a sentence: `expand` without the capital letter."""
    return expand("x " + rng.choice(read_sections("readings")[name][mark]), rng, **slots)[2:]


def _asked(rng: Random, frame: str, names: Sequence[str]) -> str:
    """A question of `frame` on the readings `names`."""
    slots: dict[str, str] = {}
    for at, name in enumerate(names, start=1):
        number = str(at) if len(names) > 1 else ""
        slots |= {f"{mark}{number}": _part(name, mark, rng, {}) for mark in "nbqi"}
    return ask(read_sections("readings")[frame]["?"], rng, **slots)


def _one(rng: Random, seen: Readings) -> list[str]:
    name = rng.choice(FIELDS)
    section, slots = read_sections("status")[name], _slots(seen, rng)
    way = rng.choices(("own", "one", "just", "sentence"), (4, 4, 1, 1))[0]
    question = ask(section["?"], rng) if way == "own" else _asked(rng, way, [name])
    if name not in slots:
        return [question, pick(section["x"], rng)]
    if way == "just":
        mere = slots["where"] if name == "backend" else slots[name]
        figure = mere if rng.random() < 0.4 else _part(name, "m", rng, slots)
        return [question, expand(f"{figure}.", rng)]
    if way == "sentence" or rng.random() < 0.3:
        said = f"I {_part(name, 'v', rng, slots)}." if rng.random() < 0.5 else ""
        return [question, said or expand(f"{_part(name, 't', rng, slots)}.", rng)]
    return [question, pick(section["!"], rng, **slots)]


def _several(rng: Random, seen: Readings) -> list[str]:
    """Two or three readings at once, answered in the order in which they were asked for."""
    names = rng.sample(FIELDS, 2 if rng.random() < 0.8 else 3)
    slots = _slots(seen, rng)
    question = _asked(rng, "two" if len(names) == 2 else "three", names)
    known = [name for name in names if name in slots]
    missing = [_WORDS[name] for name in names if name not in slots]
    if not known:
        return [question, f"I can't see {listed(missing, 'or')}."]
    mark = rng.choice("vvmt")
    parts = [_part(name, mark, rng, slots) for name in known]
    told = listed([f"I {part}" for part in parts[:1]] + parts[1:]) if mark == "v" else listed(parts)
    if missing:
        told += f", but I can't see {listed(missing, 'or')}"
    return [question, expand(f"{told}.", rng)]


def _on_backend(rng: Random, seen: Readings) -> list[str]:
    section, slots = read_sections("status")["on_backend"], _slots(seen, rng)
    asked = rng.choice(list(BACKENDS.values()))
    if "backend" in slots and rng.random() < 0.5:
        asked = slots["backend"]
    article = "an" if asked == "fpga" else "a"
    other = _OTHER[asked]
    question = ask(section["?"], rng, other=other, a_other=f"{article} {other}")
    if "backend" not in slots:
        return [question, pick(section["x"], rng)]
    return [question, pick(section["y" if asked == slots["backend"] else "n"], rng, **slots)]


def _energy(rng: Random, seen: Readings) -> list[str]:
    section, figures = read_sections("status")["energy_hour"], seen.figures()
    answer = pick(section["!"], rng, **figures) if "power" in figures else pick(section["x"], rng)
    return [ask(section["?"], rng), answer]


def _report(rng: Random, seen: Readings) -> list[str]:
    question, slots = ask(read_sections("status")["report"]["?"], rng), _slots(seen, rng)
    parts = [_part(name, "v", rng, slots) for name in FIELDS if name in slots]
    answer = f"I {listed(parts)}."
    missing = [_WORDS[name] for name in FIELDS if name not in slots]
    if missing and rng.random() < 0.6:
        answer += f" I can't see {listed(missing, 'or')}."
    return [question, answer]


def _which(rng: Random, seen: Readings) -> list[str]:
    sections, figures = read_sections("status"), seen.figures()
    missing = [_WORDS[name] for name in FIELDS if name not in figures]
    known = [_WORDS[name] for name in FIELDS if name in figures]
    if known and rng.random() < 0.5:
        told = ("I can see {it}.", "I have {it}.", "Right now I know {it}.")
        return [ask(sections["which"]["?"], rng), pick(told, rng, it=listed(known))]
    question = ask(sections["missing"]["?"], rng)
    if not missing:
        return [question, "Nothing is missing: I can see all five readings."]
    answers = ("I can't see {it}.", "(Missing|Not known) (right now|here): {it}.")
    return [question, pick(answers, rng, it=listed(missing, "or"))]
