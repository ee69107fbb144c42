"""Two small questions of the app: yes or no, and one line of text.

It knows how they are asked; it does not know about what.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from edge_sdk.safe_text import printable


class Confirm(ModalScreen[bool]):
    """Yes or no; the focus is on no, because what is asked about cannot be taken back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "answer(False)", "No", id="confirm.no"),
        Binding("y", "answer(True)", "Yes", id="confirm.yes"),
    ]
    AUTO_FOCUS: ClassVar[str | None] = "#no"

    def __init__(self, question: str, yes: str) -> None:
        super().__init__()
        self._question = question
        self._yes = yes

    def compose(self) -> ComposeResult:
        """The question and two buttons."""
        with Vertical(classes="dialog -small"):
            yield Static(printable(self._question), markup=False)
            with Horizontal(classes="buttons"):
                yield Button(f"{self._yes} (y)", id="yes", compact=True)
                yield Button("Keep (esc)", id="no", compact=True)

    @on(Button.Pressed)
    def press(self, message: Button.Pressed) -> None:
        """Answer by button."""
        self.dismiss(message.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer by key."""
        self.dismiss(answer)


class Ask(ModalScreen[str | None]):
    """One line of text; escape leaves it as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Leave", id="ask.leave"),
    ]

    def __init__(self, what: str, value: str) -> None:
        super().__init__()
        self._what = what
        self._value = value

    def compose(self) -> ComposeResult:
        """What is asked for, and a field."""
        with Vertical(classes="dialog -small"):
            yield Static(f"{self._what} (enter takes it, esc leaves it)", markup=False)
            yield Input(printable(self._value, newlines=False), compact=True)

    @on(Input.Submitted)
    def take(self, message: Input.Submitted) -> None:
        """Take what is typed."""
        self.dismiss(printable(message.value, newlines=False))

    def action_cancel(self) -> None:
        """Leave it."""
        self.dismiss(None)
