"""The conversation as it is read: questions, answers in Markdown, and a note under each answer.

It knows how to show text and to make it harmless; it does not know where it comes from.
"""

from __future__ import annotations

from markdown_it import MarkdownIt
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Markdown, Static
from textual.widgets.markdown import MarkdownStream

from edge_sdk.safe_text import printable

MAX_TURNS = 100
"""Older turns leave the screen, so that a long conversation stays as fast as a short one."""


def _parser() -> MarkdownIt:
    """Markdown without HTML, which would vanish instead of being shown."""
    return MarkdownIt("gfm-like", {"html": False})


class Turn(Vertical):
    """One question and its answer, as it is written."""

    def __init__(self, question: str) -> None:
        super().__init__()
        self.question = question
        self.answer = ""
        self.live = True
        """Whether the conversation still contains this turn."""
        self._stream: MarkdownStream | None = None

    def compose(self) -> ComposeResult:
        """Question, answer, note."""
        yield Static(printable(self.question), classes="question", markup=False)
        yield self._new_markdown()
        yield Static("reading …", classes="note", markup=False)

    async def write(self, piece: str) -> None:
        """Add a piece of the answer."""
        if self._stream is None:
            self._stream = Markdown.get_stream(self.query_one(Markdown))
            self.note("")
        self.answer += piece
        await self._stream.write(printable(piece))

    async def finish(self, note: str, *, trouble: bool = False) -> None:
        """Show the rest of the answer and what is to be said about it."""
        if self._stream is not None:
            await self._stream.stop()
            self._stream = None
        self.note(note, trouble=trouble)

    async def restart(self) -> None:
        """Empty the answer: it is written anew."""
        await self.finish("reading …")
        self.answer = ""
        await self.query_one(Markdown).remove()
        await self.mount(self._new_markdown(), before=self.query_one(".note"))

    def note(self, text: str, *, trouble: bool = False) -> None:
        """Set the line under the answer."""
        line = self.query_one(".note", Static)
        line.update(printable(text))
        line.display = bool(text)
        line.set_class(trouble, "-trouble")

    def _new_markdown(self) -> Markdown:
        # A link that the model wrote must not open anything.
        return Markdown(parser_factory=_parser, open_links=False)


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
        return list(self.query(Turn))

    @property
    def last(self) -> Turn | None:
        """The last turn that the conversation contains."""
        return next((turn for turn in reversed(self.turns) if turn.live), None)

    async def begin(self, question: str) -> Turn:
        """Add a turn and scroll to it."""
        self.query_one("#greeting").display = False
        for old in self.turns[: -MAX_TURNS + 1]:
            await old.remove()
        turn = Turn(question)
        await self.mount(turn)
        self.anchor()
        return turn

    async def drop_last(self) -> str | None:
        """Remove the last live turn and what failed after it; return its question."""
        question = None
        for turn in reversed(self.turns):
            await turn.remove()
            if turn.live:
                question = turn.question
                break
        self._greet_if_empty()
        return question

    async def clear(self) -> None:
        """Remove every turn."""
        await self.query(Turn).remove()
        self._greet_if_empty()

    def as_markdown(self) -> str:
        """The conversation for a file: questions as quotes, answers as they are."""
        return "\n".join(
            "> " + turn.question.replace("\n", "\n> ") + "\n\n" + turn.answer.strip() + "\n"
            for turn in self.turns
        )

    def _greet_if_empty(self) -> None:
        self.query_one("#greeting").display = not self.turns
