"""The conversation as it is read, newest turn at the bottom.

It knows which turns are on the screen; it does not know how one is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from edge_sdk.app.events import TurnView
from edge_sdk.app.facts import note
from edge_sdk.app.widgets.turn import Turn
from edge_sdk.safe_text import printable

MAX_TURNS = 100
"""Older turns leave the screen, so that a long conversation stays as fast as a short one."""

SHOWN_AT_ONCE = 40
"""Turns of a conversation that is opened: to make more would be felt."""

LAID_OUT = 40
"""Paragraphs that take part in the layout, which is done anew for each piece of an answer. What is
older is folded away above the top, and unfolds when the reader scrolls there."""


class Transcript(VerticalScroll):
    """Turns, newest at the bottom; it follows the answer unless the reader scrolled up."""

    def __init__(self) -> None:
        super().__init__(id="transcript")

    def compose(self) -> ComposeResult:
        """The place for what is said before the first question."""
        yield Static("", id="greeting", markup=False)

    def on_mount(self) -> None:
        """Stick to the bottom until the reader scrolls."""
        self.anchor()

    def greet(self, text: str, *, trouble: bool = False) -> None:
        """Say something where the conversation will be."""
        greeting = self.query_one("#greeting", Static)
        greeting.update(printable(text))
        greeting.set_class(trouble, "-trouble")

    @property
    def turns(self) -> list[Turn]:
        """All turns on the screen, oldest first."""
        return [child for child in self.children if isinstance(child, Turn)]

    @property
    def last(self) -> Turn | None:
        """The last turn that the conversation contains."""
        return next((turn for turn in reversed(self.turns) if turn.live), None)

    @property
    def selected(self) -> Turn | None:
        """The turn that has the focus, else the last one."""
        focused = self.screen.focused
        return focused if isinstance(focused, Turn) and focused.live else self.last

    async def begin(self, question: str, index: int | None = None) -> Turn:
        """Add turn `index` (default: after the last), in place of those from there on."""
        if index is None:
            last = self.last
            index = 0 if last is None else last.index + 1
        else:
            await self._cut(index)
        self.query_one("#greeting").display = False
        for old in self.turns[: -MAX_TURNS + 1]:
            await old.remove()
        turn = Turn(question, index)
        await self.mount(turn)
        self.fold()
        self.anchor()
        return turn

    def fold(self) -> None:
        """Take old turns out of the layout."""
        paragraphs = 0
        for turn in reversed(self.turns):
            turn.display = paragraphs < LAID_OUT
            paragraphs += turn.paragraphs

    def unfold(self) -> None:
        """Put more turns into the layout, above those that are there; the view stays."""
        height, paragraphs = self.virtual_size.height, 0
        for turn in reversed(self.turns):
            if turn.display:
                continue
            turn.display = True
            paragraphs += turn.paragraphs
            if paragraphs >= LAID_OUT:
                break
        if paragraphs:
            self.call_after_refresh(
                lambda: self.scroll_relative(
                    y=self.virtual_size.height - height, animate=False, force=True
                )
            )

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Unfold older turns when the reader gets to the top."""
        super().watch_scroll_y(old, new)
        if new < old and round(new) <= 0:
            self.unfold()

    async def show(self, views: Sequence[TurnView]) -> None:
        """Show this conversation; turns that are on the screen already stay where they are."""
        kept = [turn for turn in self.turns if turn.live]
        first = kept[0].index if kept else 0
        begin = first
        for turn, view in zip(kept, views[first:], strict=False):
            if (turn.question, turn.answer) != (view.question, view.answer):
                break
            begin += 1
        if begin < len(views) - SHOWN_AT_ONCE:
            first = begin = len(views) - SHOWN_AT_ONCE
            kept = []
        if begin == first:
            kept = []
            first = begin = max(len(views) - SHOWN_AT_ONCE, 0)
        await self._cut(begin if kept else 0)
        new = [
            Turn(view.question, index, view.answer, "")
            for index, view in enumerate(views[begin:], begin)
        ]
        await self.mount(*new)
        for turn, view in zip([*kept[: begin - first], *new], views[first:], strict=True):
            settle(turn, view)
        self._greet_if_empty()
        self.fold()
        self.anchor()

    async def drop_last(self) -> None:
        """Remove the last live turn and what failed after it."""
        for turn in reversed(self.turns):
            await turn.remove()
            if turn.live:
                break
        self.fold()
        self._greet_if_empty()

    async def clear(self) -> None:
        """Remove every turn."""
        await self.query(Turn).remove()
        self._greet_if_empty()

    def neighbour(self, turn: Turn, step: int) -> Turn | None:
        """The turn above (-1) or below (1)."""
        turns = self.turns
        place = turns.index(turn) + step
        if not 0 <= place < len(turns):
            return None
        if not turns[place].display:
            self.unfold()
        return turns[place]

    async def _cut(self, index: int) -> None:
        """Remove the turns from `index` on, and those that failed."""
        for turn in self.turns:
            if turn.index >= index or not turn.live:
                await turn.remove()

    def _greet_if_empty(self) -> None:
        self.query_one("#greeting").display = not self.turns


def settle(turn: Turn, view: TurnView) -> None:
    """Bring place and note of a finished turn up to date."""
    turn.place, turn.places = view.place, view.places
    turn.note(note(view.figures, stopped=view.stopped, kept=True))
