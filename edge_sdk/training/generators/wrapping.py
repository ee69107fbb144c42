"""Other ways to put a question or a request, and what people say around it.

It knows English word order and the frames of frames.txt; it does not know what is asked. A model
that meets each question in a dozen wordings answers these; one that meets its words in thousands
of frames answers the words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from random import Random

from edge_sdk.training.generators.grammar import lower_first, pick
from edge_sdk.training.generators.tables import read_sections

_THING = re.compile(r"(?:What is|What's|Which is|What are) ((?:the|your|my) .+|\d.*)\?")
_IS = re.compile(r"(What|Who|Where|Why|How|When|Which \w+) (is|are|was) ([^,.:?]+)\?")
_DO = re.compile(r"((?:How (?:much|many)|What|Which)(?: \w+)?|Where|When|Why|How) do ([^,.:?]+)\?")
_DOES = re.compile(
    r"((?:How (?:much|many)|What|Which)(?: \w+)?|Where|When|Why|How) does ([^,.:?]+) "
    r"(have|mean|say|come|live|need|do|eat|cost|sound|work|begin|start)\b([^,.:?]*)\?"
)
_COMMAND = re.compile(
    r"(?:Tell|Say|Give|Name|Write|Count|Show|Explain|Describe|Repeat|Introduce|Calculate|Spell|"
    r"List|Make|Continue|Invent|Let|Report|Read|Add|Take|Describe|Compare)\b"
)
_MARKS = ".?!"
_LITTLE = re.compile(r"\b(?:a|an|the|is|are|do|does|of|to|me|for|please|it|that|there)\b ?", re.I)
_LONGEST_CLAUSE = 8
"""Words of a clause whose order can be changed and still be read."""


def recast(text: str, rng: Random, kept: Sequence[str] = ()) -> str:
    """The same question in another form, if it has one that is known; else `text`."""
    if text.endswith("?"):
        forms = [form for form in (_as_thing(text), _as_clause(text)) if form]
        if forms:
            section, slots = rng.choice(forms)
            return _frame(section, rng, **slots)
    elif _COMMAND.match(text) and "?" not in text and len(text.split()) <= 2 * _LONGEST_CLAUSE:
        return _frame("command", rng, ic=_inner(text.rstrip(_MARKS), kept))
    return text


def surround(text: str, rng: Random, kept: Sequence[str] = ()) -> str:
    """`text`, a question, with something before or after it, or both."""
    before = rng.random() < 0.55
    if before:
        lead = _frame("before", rng)
        within = lead[-1] in ",:" or lead[-1].isalpha()
        text = f"{lead} {_inner(text, kept) if within else text}"
    if not before or rng.random() < 0.25:
        text = f"{text} {_frame('after', rng)}"
    return text


def remark(text: str, rng: Random, kept: Sequence[str] = ()) -> str:
    """`text`, a statement of one sentence, with a lead or an afterthought."""
    return _frame("remark", rng, ic=_inner(text, kept), Q=text)


def reword(text: str, rng: Random, kept: Sequence[str] = ()) -> str:
    """One word or phrase replaced by another that says the same; nothing inside `kept`."""
    lower = text.lower()
    found = [
        (at, words)
        for words in _same_words()
        if (match := re.search(rf"\b{words[0]}\b", lower)) and not _inside(match.span(), text, kept)
        for at in [match.start()]
    ]
    if not found:
        return text
    at, words = rng.choice(found)
    put = rng.choice(words[1:])
    put = put[:1].upper() + put[1:] if text[at].isupper() else put
    return text[:at] + put + text[at + len(words[0]) :]


def shorten(text: str, rng: Random, kept: Sequence[str] = ()) -> str:
    """As typed in haste: some of the little words left out; nothing inside `kept`."""

    def left(match: re.Match[str]) -> str:
        spared = _inside(match.span(), text, kept) or rng.random() < 0.4
        return match[0] if spared else ""

    cut = _LITTLE.sub(left, text).strip()
    return cut[:1].upper() + cut[1:] if len(cut.split()) > 1 else text


def _inner(text: str, kept: Sequence[str]) -> str:
    """`text` to stand within a sentence; a name at its beginning keeps its capital."""
    return text if any(part and text.startswith(part) for part in kept) else lower_first(text)


def _frame(section: str, rng: Random, **slots: str) -> str:
    return pick(read_sections("frames")[section]["?"], rng, **slots)


def _as_thing(text: str) -> tuple[str, dict[str, str]] | None:
    match = _THING.fullmatch(text)
    return ("np", {"np": match[1]}) if match else None


def _as_clause(text: str) -> tuple[str, dict[str, str]] | None:
    if len(text.split()) > _LONGEST_CLAUSE:
        return None
    if match := _IS.fullmatch(text):
        clause = f"{match[1]} {match[3]} {match[2]}"
    elif match := _DOES.fullmatch(text):
        verb = {"have": "has", "do": "does"}.get(match[3], f"{match[3]}s")
        clause = f"{match[1]} {match[2]} {verb}{match[4]}"
    elif match := _DO.fullmatch(text):
        clause = f"{match[1]} {match[2]}"
    else:
        return None
    return "clause", {"ic": lower_first(clause)}


@cache
def _same_words() -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(line.split("|")) for line in read_sections("frames")["words"]["?"])


def _inside(span: tuple[int, int], text: str, kept: Sequence[str]) -> bool:
    """Whether `span` of the text touches a part that has to stay as it is."""
    return any(
        span[0] < found.end() and found.start() < span[1]
        for part in kept
        if part
        for found in re.finditer(re.escape(part), text)
    )
