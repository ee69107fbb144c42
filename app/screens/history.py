"""The conversations of before: a list by time, or what a search finds.

It knows how they are listed; it does not know what happens to the one that is chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from edge_sdk.app.screens.dialogs import Ask, Confirm
from edge_sdk.app.widgets.footer import KeyLine
from edge_sdk.errors import EdgeError
from edge_sdk.history.store import CLOSE, OPEN, History, Summary
from edge_sdk.safe_text import printable

HINT = "Words are found wherever they stand, in questions and answers."


class HistoryScreen(ModalScreen[int | None]):
    """Type to search; enter goes on with a conversation, exactly where it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Leave", id="history.leave"),
        Binding("down", "move(1)", "Down", id="history.down", show=False),
        Binding("up", "move(-1)", "Up", id="history.up", show=False),
        Binding("f6", "rename", "Rename", id="history.rename"),
        Binding("f8", "delete", "Delete", id="history.delete"),
    ]

    def __init__(self, history: History, current: int | None) -> None:
        """current: the conversation that is open, which is not deleted under the reader."""
        super().__init__()
        self._history = history
        self._current = current
        self._shown: list[Summary] = []

    def compose(self) -> ComposeResult:
        """Search, list, hint."""
        with Vertical(classes="dialog"):
            yield Static("Conversations", classes="dialog-title", markup=False)
            yield Input(placeholder="search", compact=True)
            yield OptionList(markup=False)
            yield Static(HINT, classes="dialog-detail", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """All conversations, last used first."""
        self._search("")

    @on(Input.Changed)
    def search(self, message: Input.Changed) -> None:
        """Look for what is typed."""
        self._search(message.value)

    def _search(self, text: str) -> None:
        try:
            self._shown = self._history.search(text)
        except EdgeError as error:
            self.notify(error.message, severity="error", markup=False)
            return
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(line(entry)) for entry in self._shown)
        if self._shown:
            options.highlighted = 0
        said = HINT if self._shown else "Nothing was found." if text else "There are none yet."
        self.query_one(".dialog-detail", Static).update(said)

    @property
    def _highlighted(self) -> Summary | None:
        place = self.query_one(OptionList).highlighted
        return self._shown[place] if place is not None and place < len(self._shown) else None

    @on(OptionList.OptionSelected)
    def choose(self, message: OptionList.OptionSelected) -> None:
        """Choose a line by mouse or enter."""
        self.dismiss(self._shown[message.option_index].key)

    @on(Input.Submitted)
    def choose_highlighted(self) -> None:
        """Choose the highlighted line."""
        entry = self._highlighted
        if entry is not None:
            self.dismiss(entry.key)

    def action_move(self, step: int) -> None:
        """Move in the list while typing a search."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    @work
    async def action_rename(self) -> None:
        """Give the highlighted conversation another title."""
        entry = self._highlighted
        if entry is not None:
            title = await self.app.push_screen_wait(Ask("Title", entry.title))
            if title is not None:
                self._do(lambda: self._history.rename(entry.key, title))

    @work
    async def action_delete(self) -> None:
        """Remove the highlighted conversation for good, after asking."""
        entry = self._highlighted
        if entry is not None and entry.key == self._current:
            self.notify("This conversation is open: begin another one first (ctrl+n).")
        elif entry is not None:
            question = f"Delete “{entry.title}”, {_turns(entry.turns)}, for good?"
            if await self.app.push_screen_wait(Confirm(question, "Delete")):
                self._do(lambda: self._history.delete(entry.key))

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except EdgeError as error:
            self.notify(error.message, severity="error", markup=False)
        self._search(self.query_one(Input).value)

    def action_cancel(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


def line(entry: Summary) -> Text:
    """Title, when, how long, and where the search found something."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.updated))
    text = Text(printable(entry.title, newlines=False), "bold")
    facts = f"  {when} · {_turns(entry.turns)}"
    text.append(
        facts + (f" · {printable(entry.models, newlines=False)}" if entry.models else ""), "dim"
    )
    if entry.excerpt:
        text.append("\n  ")
        for part in entry.excerpt.replace("\n", " ").split(OPEN):
            found, closed, rest = part.partition(CLOSE)
            if closed:
                text.append(printable(found, newlines=False), "bold underline")
            else:
                rest = found
            text.append(printable(rest, newlines=False))
    return text


def _turns(count: int) -> str:
    return f"{count} turn{'' if count == 1 else 's'}"
