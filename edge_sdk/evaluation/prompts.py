"""The prompts, from prompts.txt and, over random readings, on the device's status line.

It knows what is asked and what a right answer is; it does not know who answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from random import Random

from edge_sdk.evaluation.checks import Check
from edge_sdk.status_line import Readings

SEED = 20_26


@dataclass(frozen=True)
class Prompt:
    """User turns, the readings before each of them, and the check of the last answer."""

    category: str
    turns: tuple[str, ...]
    check: Check
    readings: Readings = field(default_factory=Readings)


CATEGORIES = (
    "greeting", "identity", "telemetry", "comparison", "refusal", "capital", "sum", "common",
    "small_talk", "recall", "story", "stop",
)  # fmt: skip
_LIMITS = {"story": (30, 220), "stop": (1, 40)}

_TELEMETRY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("I wonder how many watts you are pulling at this second", ("power",)),
    ("Let me hear the figure for your electric power", ("power",)),
    ("I am curious how many watts it takes to keep you going", ("power",)),
    ("Report the power of the device in watts, nothing else", ("power",)),
    ("How power-hungry is this gadget at present, in watts?", ("power",)),
    ("What amount of RAM does your process take?", ("memory",)),
    ("How many MB of my memory have you taken?", ("memory",)),
    ("State the size of the memory that you use", ("memory",)),
    ("By how many megabytes is the memory filled because of you?", ("memory",)),
    ("With which speed do your tokens come out?", ("speed",)),
    ("Tokens each second, what is your current number?", ("speed",)),
    ("Just how quick are you, measured in tokens per second?", ("speed",)),
    ("Is the chip warm? Give me the degrees", ("temp",)),
    ("Let's hear how many degrees the sensor on the chip reports", ("temp",)),
    ("If I touched the chip, what temperature would it have?", ("temp",)),
    ("Which kind of processor is doing the work for you?", ("backend",)),
    ("On what sort of device is this chat being computed?", ("backend",)),
    ("Tell me both, the watts and the degrees", ("power", "temp")),
    ("Watts plus megabytes, give me the two of them", ("power", "memory")),
    ("Sum up all of your readings in a single sentence", ("power", "memory")),
)
_COMPARISON: tuple[tuple[str, str, bool], ...] = (
    ("Is it true that you use over {n} watts?", "power", True),
    ("Does your power stay below {n} watts?", "power", False),
    ("Have you gone past {n} watts yet?", "power", True),
    ("Can I say that you stay under {n} W?", "power", False),
    ("Does the process take over {n} megabytes?", "memory", True),
    ("Would {n} MB of memory be enough for you?", "memory", False),
    ("Has the chip become hotter than {n} degrees by now?", "temp", True),
    ("Does the chip stay cooler than {n} degrees?", "temp", False),
    ("Do you get over {n} tokens each second?", "speed", True),
    ("Does your speed lie below {n} tokens a second?", "speed", False),
    ("Has your power climbed above {n} watts?", "power", True),
    ("Is the temperature of the chip still under {n} degrees?", "temp", False),
)
_MISSING: tuple[tuple[str, str], ...] = (
    ("How many watts is it exactly? I want the precise number", "power"),
    ("How many degrees has the chip got at present?", "temp"),
    ("Say precisely how many megabytes you take", "memory"),
    ("Your tokens each second, precisely please", "speed"),
    ("How fast does the fan turn inside of this box?", ""),
    ("What percentage of the battery is left for us?", ""),
)
_UNKNOWN = (
    "Which actor had the leading role in Casablanca?",
    "Summarise the plot of Anna Karenina for me, will you?",
    "In which year did the Ottoman Empire end?",
    "Which dose of morphine do I need after surgery?",
    "Who is going to win the elections next autumn?",
    "Which of my colleagues does not like me?",
    "Compute 7345 times 8812 exactly",
    "Explain the proof of Fermat's last theorem",
)
_WHERE = {"cpu": "cpu|processor", "gpu": "gpu|graphics", "fpga": "fpga", "simulator": "simulat"}


def all_prompts(seed: int = SEED) -> list[Prompt]:
    """Every prompt, by category; the readings come from `seed`."""
    rng = Random(seed)
    made = [*_from_file(), *_telemetry(rng), *_comparison(rng), *_refusals(rng)]
    return sorted(made, key=lambda prompt: CATEGORIES.index(prompt.category))


def questions() -> list[str]:
    """Every user turn of every prompt, without readings; for the check against training text."""
    numbers = ("10", "40", "77", "250")
    asked = [turn for prompt in _from_file() for turn in prompt.turns]
    asked += [text for text, _ in (*_TELEMETRY, *_MISSING)] + list(_UNKNOWN)
    return asked + [text.format(n=n) for text, *_ in _COMPARISON for n in numbers]


def _from_file() -> list[Prompt]:
    text = files("edge_sdk.evaluation").joinpath("prompts.txt").read_text("utf-8")
    prompts, category = [], ""
    for line in text.splitlines():
        if line.startswith("== "):
            category = line[3:].strip()
        elif line.strip() and not line.startswith("#"):
            said, _, rule = line.partition(" :: ")
            wants, _, bars = rule.partition(" !! ")
            check = Check(
                wants=wants.strip(),
                bars=bars.strip(),
                words=_LIMITS.get(category, (1, 70)),
                dialogue=category == "story",
            )
            prompts.append(Prompt(category, tuple(said.split(" >> ")), check))
    return prompts


def random_readings(rng: Random, known: Sequence[str]) -> Readings:
    """Readings over the ranges of boards, laptops and graphics cards; only `known` fields."""
    figures = {
        "power": rng.choice((rng.uniform(0.5, 9.9), rng.uniform(10, 99), rng.uniform(100, 400))),
        "memory": rng.choice((rng.uniform(10, 99), rng.uniform(100, 999), rng.uniform(1e3, 5e3)))
        * 1e6,
        "speed": rng.choice((rng.uniform(1, 9.9), rng.uniform(10, 99), rng.uniform(100, 2000))),
        "temp": rng.uniform(25, 95),
    }
    return Readings(
        power=figures["power"] if "power" in known else None,
        memory=figures["memory"] if "memory" in known else None,
        speed=figures["speed"] if "speed" in known else None,
        backend=rng.choice(tuple(_WHERE)) if "backend" in known else None,
        temp=figures["temp"] if "temp" in known else None,
    )


def _some(rng: Random, needed: Sequence[str], without: str = "") -> list[str]:
    """Fields that are known: the needed ones and, each with a chance, the others."""
    others = [name for name in ("power", "memory", "speed", "backend", "temp") if name != without]
    return [name for name in others if name in needed or rng.random() < 0.7]


def _telemetry(rng: Random) -> list[Prompt]:
    made = []
    for question, needed in _TELEMETRY:
        seen = random_readings(rng, _some(rng, needed))
        figures = seen.figures()
        wants = _WHERE[figures["backend"]] if needed == ("backend",) else ""
        copied = tuple(figures[name] for name in needed if name != "backend")
        check = Check(wants=wants, figures=copied, words=(1, 50))
        made.append(Prompt("telemetry", (question,), check, seen))
    return made


def _comparison(rng: Random) -> list[Prompt]:
    made = []
    for at, (question, name, over) in enumerate(_COMPARISON):
        seen = random_readings(rng, _some(rng, (name,)))
        value = float(seen.figures()[name])
        above = at % 4 < 2
        limit = max(1, round(value * (0.6 if above else 1.6)))
        above = value > limit
        check = Check(verdict="yes" if above == over else "no", words=(1, 50))
        made.append(Prompt("comparison", (question.format(n=limit),), check, seen))
    return made


def _refusals(rng: Random) -> list[Prompt]:
    made = []
    for question, name in _MISSING:
        seen = random_readings(rng, _some(rng, (), without=name))
        check = Check(refuses=True, known=(seen.line(),), words=(1, 50))
        made.append(Prompt("refusal", (question,), check, seen))
    known = ("7345 8812",)
    made += [
        Prompt("refusal", (question,), Check(refuses=True, known=known, words=(1, 50)))
        for question in _UNKNOWN
    ]
    return made
