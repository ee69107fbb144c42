"""Questions on the device's readings: every figure in an answer is one of the line's.

It knows readings and the wordings of status.txt, compare.txt and unseen.txt; it does not know
where real readings come from.
"""

from __future__ import annotations

from random import Random

from edge_sdk.status_line import BACKENDS, Readings
from edge_sdk.training.generators.phrasing import ask, expand, listed, pick
from edge_sdk.training.generators.tables import read_lines, read_sections

WHERE = {
    "cpu": ("the CPU", "the processor", "the CPU of this machine"),
    "gpu": ("the GPU", "the graphics card", "the GPU of this machine"),
    "fpga": ("the FPGA", "the FPGA board", "an FPGA board"),
    "simulator": ("the simulator", "a simulated board"),
}
_OTHER = {"cpu": "CPU", "gpu": "GPU", "fpga": "FPGA", "simulator": "simulator"}
_NEEDS = {
    "power": ("power",),
    "memory": ("memory",),
    "speed": ("speed",),
    "temperature": ("temp",),
    "backend": ("backend",),
    "energy_hour": ("power",),
    "two_power_memory": ("power", "memory"),
    "two_speed_temp": ("speed", "temp"),
    "two_power_speed": ("power", "speed"),
    "two_power_temp": ("power", "temp"),
}
_WORDS = {
    "power": "the power",
    "memory": "the memory",
    "speed": "my speed",
    "backend": "the backend",
    "temp": "the temperature",
}
_PHRASES = {
    "power": ("draw {power} watts", "use {power} watts", "need {power} watts"),
    "memory": ("use {memory} megabytes of memory", "take {memory} MB of memory"),
    "speed": ("write {speed} tokens per second", "produce {speed} tokens per second"),
    "backend": ("run on {where}",),
    "temp": ("have a temperature of {temp} degrees", "am at {temp} degrees Celsius"),
}
_NO_LINE = (
    "I can't see any readings (here|right now). (Turn on the status line, and I can tell you.|)",
    "I have no readings of the device (right now|here), so I can't say.",
    "(Nobody|No one) gives me readings at the moment, so I would rather not guess.",
)
_UNSEEN = (
    "I can't see the {what}. I know only power, memory, speed, backend and temperature.",
    "I can't see that. The {what} is not among my readings.",
    "I don't know the {what}: (no sensor tells me|it is not among my readings|I can't see it).",
    "Sorry, I (can't see|have no reading of) the {what}.",
)
_LIMITS = {"compare_power": "power", "compare_memory": "memory"}


def random_readings(rng: Random) -> Readings:
    """Readings as devices have them: wide ranges, any of them unknown."""
    power = rng.choice((rng.uniform(0.3, 6), rng.uniform(2, 30), rng.uniform(20, 450)))
    memory = rng.choice((rng.uniform(8, 99), rng.uniform(60, 999), rng.uniform(800, 6000)))
    speed = rng.choice((rng.uniform(0.4, 10), rng.uniform(8, 120), rng.uniform(90, 2500)))
    part = rng.choice((1.0, 0.8, 0.8, 0.6))
    known = {name for name in _WORDS if rng.random() < part}
    return Readings(
        power=power if "power" in known else None,
        memory=memory * 1e6 if "memory" in known else None,
        speed=speed if "speed" in known else None,
        backend=rng.choice(list(BACKENDS.values())) if rng.random() < 0.9 else None,
        temp=rng.uniform(22, 97) if "temp" in known else None,
    )


def drift(before: Readings, rng: Random) -> Readings:
    """Readings a little later in the same chat: figures move, what is unknown mostly stays so."""

    def near(value: float | None, share: float) -> float | None:
        return None if value is None else value * rng.uniform(1 - share, 1 + share)

    speed = near(before.speed, 0.2)
    if speed is None and rng.random() < 0.4:
        speed = rng.uniform(1, 300)
    return Readings(
        near(before.power, 0.3),
        near(before.memory, 0.03),
        speed,
        before.backend,
        near(before.temp, 0.06),
    )


def exchange(rng: Random, seen: Readings) -> list[str]:
    """A question and its answer from what `seen` holds; without readings, an honest refusal."""
    kinds = (
        ("plain",) * 8 + ("compare",) * 5 + ("on_backend", "report", "which", "unseen", "unseen")
    )
    kind = rng.choice(kinds)
    if kind == "unseen":
        return unseen(rng)
    if not seen.figures():
        return [_any_question(rng), pick(_NO_LINE, rng).rstrip()]
    if kind == "plain":
        return _plain(rng, seen)
    if kind == "compare":
        return _compare(rng, seen)
    if kind == "on_backend":
        return _on_backend(rng, seen)
    return _report(rng, seen) if kind == "report" else _which(rng, seen)


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


def _any_question(rng: Random) -> str:
    sections = read_sections("status")
    kind = rng.choice((*_NEEDS, "report"))
    return ask(sections[kind]["?"], rng)


def _slots(seen: Readings, rng: Random) -> dict[str, str]:
    figures = seen.figures()
    if "backend" in figures:
        where = rng.choice(WHERE[figures["backend"]])
        figures |= {"where": where, "where_cap": where[0].upper() + where[1:]}
    return figures


def _plain(rng: Random, seen: Readings) -> list[str]:
    kind = rng.choice((*_NEEDS, "power", "memory", "speed", "temperature", "backend"))
    section, slots = read_sections("status")[kind], _slots(seen, rng)
    missing = [name for name in _NEEDS[kind] if name not in slots]
    question = ask(section["?"], rng)
    if not missing:
        return [question, pick(section["!"], rng, **slots)]
    if "x" in section:
        return [question, pick(section["x"], rng)]
    known = [name for name in _NEEDS[kind] if name in slots]
    unknown = " and ".join(_WORDS[name] for name in missing)
    if not known:
        return [
            question,
            pick(("I can't see {it}.", "I know neither: I can't see {it}."), rng, it=unknown),
        ]
    told = pick(_PHRASES[known[0]], rng, **slots)
    told = told[0].lower() + told[1:]
    return [question, pick(("I {told}, but I can't see {it}.",), rng, told=told, it=unknown)]


def _compare(rng: Random, seen: Readings) -> list[str]:
    sections = read_sections("compare")
    kind = rng.choice(list(sections))
    section = sections[kind]
    name = {"light_bulb": "power", "hot": "temp", "slow": "speed"}.get(kind, kind)
    slots = _slots(seen, rng)
    if kind == "light_bulb":
        limit = 60.0
    elif kind == "hot":
        limit = 74.0
    elif kind == "slow":
        limit = 14.0
    else:
        limit = _limit(rng, kind, slots.get(name))
    below = "<" in section and rng.random() < 0.5
    question = ask(section["<" if below else "?"], rng, limit=f"{limit:.0f}")
    if name not in slots:
        return [question, pick(section["x"], rng, limit=f"{limit:.0f}")]
    above = float(slots[name]) > limit
    verdict = "Yes" if above != below else "No"
    wording = section["a" if above else "b"]
    return [question, pick(wording, rng, limit=f"{limit:.0f}", verdict=verdict, **slots)]


def _limit(rng: Random, kind: str, figure: str | None) -> float:
    """A whole number that differs from the figure, near it or far off."""
    value = float(figure) if figure else rng.uniform(5, 90)
    for _ in range(20):
        limit = float(round(value * rng.choice((0.5, 0.8, 1.25, 2, rng.uniform(0.3, 2.5)))))
        if rng.random() < 0.5 and limit > 20:
            limit = float(round(limit, -1))
        if limit >= 1 and limit != value:
            return limit
    return value + 1000


def _on_backend(rng: Random, seen: Readings) -> list[str]:
    section, slots = read_sections("status")["on_backend"], _slots(seen, rng)
    asked = rng.choice(list(BACKENDS.values()))
    if "backend" in slots and rng.random() < 0.5:
        asked = slots["backend"]
    question = ask(section["?"], rng, other=_OTHER[asked])
    if "backend" not in slots:
        return [question, pick(section["x"], rng)]
    return [question, pick(section["y" if asked == slots["backend"] else "n"], rng, **slots)]


def _report(rng: Random, seen: Readings) -> list[str]:
    question, slots = ask(read_sections("status")["report"]["?"], rng), _slots(seen, rng)
    order = ("backend", "power", "memory", "speed", "temp")
    parts = [_said(name, slots, rng) for name in order if name in slots]
    answer = f"I {listed(parts)}."
    missing = [_WORDS[name] for name in order if name not in slots]
    if missing and rng.random() < 0.6:
        answer += f" I can't see {listed(missing, 'or')}."
    return [question, answer]


def _said(name: str, slots: dict[str, str], rng: Random) -> str:
    return expand("x " + rng.choice(_PHRASES[name]), rng, **slots)[2:]


def _which(rng: Random, seen: Readings) -> list[str]:
    sections, figures = read_sections("status"), seen.figures()
    missing = [_WORDS[name] for name in _WORDS if name not in figures]
    known = [_WORDS[name] for name in _WORDS if name in figures]
    if rng.random() < 0.5:
        told = ("I can see {it}.", "I have {it}.", "Right now I know {it}.")
        return [ask(sections["which"]["?"], rng), pick(told, rng, it=listed(known))]
    question = ask(sections["missing"]["?"], rng)
    if not missing:
        return [question, "Nothing is missing: I can see all five readings."]
    answers = ("I can't see {it}.", "(Missing|Not known) (right now|here): {it}.")
    return [question, pick(answers, rng, it=listed(missing))]
