"""Reads the hand-written text files beside this module.

It knows their line formats; it does not know what is made of them.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def read_lines(name: str) -> tuple[str, ...]:
    """The lines of text/<name>.txt without blank ones and those that begin with `#`."""
    text = files("edge_sdk.training.generators").joinpath("text", f"{name}.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line.strip() and not line.startswith("#"))


@cache
def read_rows(name: str) -> tuple[tuple[str, ...], ...]:
    """The lines' fields, which `|` divides."""
    return tuple(tuple(part.strip() for part in line.split("|")) for line in read_lines(name))


@cache
def read_sections(name: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Sections of a file of intents:

        == title
        ? a way to ask
        ! a way to answer
        = a way to answer in another case (each mark is a key)

    Returns {title: {mark: lines}}.
    """
    sections: dict[str, dict[str, tuple[str, ...]]] = {}
    for line in read_lines(name):
        if line.startswith("== "):
            title = line[3:].strip()
            sections[title] = {}
        else:
            mark, said = line[0], line[1:].strip()
            sections[title][mark] = (*sections[title].get(mark, ()), said)
    return sections


@cache
def read_dialogues(name: str) -> tuple[tuple[str, ...], ...]:
    """Dialogues divided by `---`: lines `U: ` and `B: ` in turn, user first."""
    found: list[tuple[str, ...]] = []
    turns: list[str] = []
    for line in (*read_lines(name), "---"):
        if line == "---":
            if turns:
                found.append(tuple(turns))
            turns = []
            continue
        speaker, _, said = line.partition(": ")
        if speaker != "UB"[len(turns) % 2]:
            raise ValueError(f"text/{name}.txt: {line!r} follows a turn of the same speaker")
        turns.append(said.strip())
    if any(len(dialogue) % 2 for dialogue in found):
        raise ValueError(f"text/{name}.txt: a dialogue ends with the user's turn")
    return tuple(found)
