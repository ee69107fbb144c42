"""What the app says about where the conversation went.

It knows words; it does not know widgets.
"""

from __future__ import annotations

from edge_sdk.app.events import Moved
from edge_sdk.app.figures import seconds

GREETING = "Ask anything. It is answered on this machine, and nothing leaves it."

_DONE = {
    "undo": "Last turn undone",
    "redo": "The turn is back",
    "branch": "Another branch",
    "back": "Going on from here; what followed stays as a branch",
    "resume": "Conversation resumed",
    "switch": "The conversation moved along",
    "reconnect": "The device is back",
}
_NOTHING = {
    "undo": "There is no turn to undo.",
    "redo": "There is no turn to bring back.",
    "branch": "There is no other branch on this side.",
}


def moved(event: Moved) -> str:
    """The state was restored in no time, or so many tokens had to be fed again, and why."""
    if not event.done:
        return _NOTHING.get(event.kind, "Nothing to do.")
    done, time = _DONE[event.kind], seconds(event.seconds)
    if event.fed:
        return (
            f"{done}.\n{event.fed} tokens fed again in {time}:\n"
            "the state of before does not fit here exactly."
        )
    return f"{done}.\nState restored in {time},\nnothing re-fed."
