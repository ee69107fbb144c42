"""Hand-written chats of several turns, which refer back to what was said.

It knows the files text/written_*.txt; what it adds is only how people type.
"""

from __future__ import annotations

from random import Random

from edge_sdk.training.generators.phrasing import rough
from edge_sdk.training.generators.tables import read_dialogues

FILES = ("written_a", "written_b", "written_c", "written_d")


def dialogues() -> list[tuple[str, ...]]:
    """All of them, as written."""
    return [dialogue for name in FILES for dialogue in read_dialogues(name)]


def exchange(rng: Random) -> list[str]:
    """One of them, the user's turns as typed."""
    said = rng.choice(dialogues())
    return [part if at % 2 else rough(part, rng) for at, part in enumerate(said)]
