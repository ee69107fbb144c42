"""Which keys there are, what they do, and whether a choice of others makes sense.

It knows bindings by their ids; it does not know what an action does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from textual.binding import Binding

from edge_sdk.app.screens.actions import ChatActions
from edge_sdk.app.widgets.turn import Turn
from edge_sdk.errors import UsageError

FIXED = ("chat.leave_edit", "chat.type")
"""They share escape with `chat.stop`, by what makes sense at the moment."""


def choices() -> list[tuple[str, str, str]]:
    """Id, what it does, the usual keys; of everything whose key may be another one."""
    found = []
    for owner, where in ((ChatActions, ""), (Turn, "turn: ")):
        for binding in owner.BINDINGS:
            if isinstance(binding, Binding) and binding.id and binding.id not in FIXED:
                what = binding.description if where else binding.id.removeprefix("chat.")
                text = f"{where}{what}".lower().replace("_", " ")
                found.append((binding.id, text, binding.key))
    return found


def check(keys: Mapping[str, str]) -> None:
    """Raise UsageError for an id that is not there, or one key for two things of one place."""
    usual = {id: key for id, _, key in choices()}
    for id in keys:
        if id not in usual:
            raise UsageError(
                f"there is nothing called {id!r} that a key could do.",
                hint="the settings (f6) list what there is.",
            )
    taken: dict[tuple[str, str], list[str]] = defaultdict(list)
    for id, all_keys in (usual | dict(keys)).items():
        for key in all_keys.split(","):
            taken[id.partition(".")[0], key.strip()].append(id)
    for (_, key), ids in taken.items():
        if len(ids) > 1:
            raise UsageError(
                f"{key} is to do {len(ids)} things: {' and '.join(ids)}.",
                hint="give each its own key.",
            )
