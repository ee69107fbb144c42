"""What the command palette offers in a conversation: everything that a key does.

It knows titles and explanations; it does not know how anything is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.app import SystemCommand

from edge_sdk.app.screens.actions import ChatActions

ACTIONS = (
    ("stop", "Stop", "What is written stays"),
    ("undo", "Undo the last turn", "Instant: the state is restored, no text is read again"),
    ("redo", "Bring the undone turn back", "Instant, too"),
    ("regenerate", "Answer again", "Write the last answer anew; the old one stays as a branch"),
    ("go_on", "Go on with the answer", "Where it ended"),
    ("new", "New conversation", "This one stays in the history"),
    ("history", "History", "Search and resume conversations"),
    ("devices", "Device", "Go on with this conversation on another device"),
    ("models", "Model", "Go on with this conversation with another model"),
    ("compare", "Compare", "The same question on two devices, side by side"),
    ("flash", "Flash a board", "Write our image, verify it, and test that it computes"),
    ("settings", "Settings", "Sampling, system text, themes, keys"),
    ("meters", "Meters", "Show them as a panel or as one line"),
    ("turns", "Go to the turns", "Their keys are then in the footer"),
)
"""Action, title, explanation."""

TURN_ACTIONS = (
    ("edit", "Edit the question", "Ask it differently, and go on from there"),
    ("continue", "Edit the answer", "And let the model go on with it"),
    ("go_back", "Go on after this turn", "What followed stays as a branch"),
    ("previous_branch", "Branch before", "Another question or answer at this place"),
    ("next_branch", "Branch after", "Another question or answer at this place"),
    ("copy", "Copy the answer", "To the clipboard"),
    ("copy_code", "Copy a code block", "Again: the one after it"),
)
"""What is wanted of the turn in focus (else the last one), title, explanation."""


def chat_commands(chat: ChatActions) -> Iterator[SystemCommand]:
    """All that makes sense now."""
    for action, title, text in ACTIONS:
        if chat.check_action(action, ()):
            yield SystemCommand(title, text, getattr(chat, f"action_{action}"))
    for what, title, text in TURN_ACTIONS:
        yield SystemCommand(title, text, partial(chat.with_selected, what))
