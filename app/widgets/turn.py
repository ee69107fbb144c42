"""One question and its answer on the screen, which keys act on while it has the focus.

It knows how to show text and to make it harmless; it does not know what an action does.
"""

from __future__ import annotations

from typing import ClassVar

from markdown_it import MarkdownIt
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Markdown, Static
from textual.widgets._markdown import MarkdownParagraph
from textual.widgets.markdown import MarkdownBlock, MarkdownStream

from edge_sdk.safe_text import printable


def _parser() -> MarkdownIt:
    """Markdown without HTML, which would vanish instead of being shown."""
    return MarkdownIt("gfm-like", {"html": False})


class CalmParagraph(MarkdownParagraph):
    """A paragraph that has the screen laid out anew only when it gets another line."""

    def set_content(self, content: Content) -> None:
        """Show `content`."""
        width, height = self.content_size
        if width and content.get_height({}, width) == height:
            self._content = content
            self.update(content, layout=False)
        else:
            super().set_content(content)


class Answer(Markdown):
    """Markdown of the model, harmless."""

    def __init__(self, text: str) -> None:
        # A link that the model wrote must not open anything.
        super().__init__(printable(text), parser_factory=_parser, open_links=False)

    def get_block_class(self, block_name: str) -> type[MarkdownBlock]:
        """The widget for a block."""
        if block_name == "paragraph_open":
            return CalmParagraph
        return super().get_block_class(block_name)


class Turn(Vertical, can_focus=True):
    """Question, answer as it is written, and a note under it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "want('edit')", "Edit", id="turn.edit"),
        Binding("a", "want('continue')", "Edit answer", id="turn.continue"),
        Binding("r", "want('regenerate')", "Again", id="turn.regenerate"),
        Binding("enter", "want('go_back')", "Go on here", id="turn.back"),
        Binding("left,h", "want('previous_branch')", "Branch", id="turn.previous_branch"),
        Binding("right,l", "want('next_branch')", "Branch", id="turn.next_branch", show=False),
        Binding("c", "want('copy')", "Copy", id="turn.copy"),
        Binding("b", "want('copy_code')", "Copy code", id="turn.copy_code"),
        Binding("up,k", "want('above')", "Above", id="turn.above", show=False),
        Binding("down,j", "want('below')", "Below", id="turn.below", show=False),
    ]

    class Wanted(Message):
        """The reader wants something of this turn."""

        def __init__(self, what: str, turn: Turn) -> None:
            super().__init__()
            self.what = what
            self.turn = turn

    def __init__(
        self, question: str, index: int, answer: str = "", note: str = "reading …"
    ) -> None:
        super().__init__()
        self.question = question
        self.index = index
        """Its place in the conversation, from 0."""
        self.answer = answer
        self.place, self.places = 0, 1
        self.live = True
        """Whether the conversation still contains this turn."""
        self._first_note = note
        self._stream: MarkdownStream | None = None
        self._code = -1

    def compose(self) -> ComposeResult:
        """Question, answer, note."""
        yield Static(printable(self.question), classes="question", markup=False)
        yield Answer(self.answer)
        yield Static(printable(self._first_note), classes="note", markup=False)

    @property
    def paragraphs(self) -> int:
        """Parts that have to be laid out: paragraphs, lists, code blocks, question and note."""
        return 2 + sum(len(markdown.children) for markdown in self.query(Markdown))

    def action_want(self, what: str) -> None:
        """Tell the screen what is wanted."""
        self.post_message(self.Wanted(what, self))

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

    def note(self, text: str, *, trouble: bool = False) -> None:
        """Set the line under the answer; of several branches it says which one this is."""
        if self.places > 1:
            text = f"‹ {self.place + 1} of {self.places} ›  ·  {text}" if text else text
        line = self.query_one(".note", Static)
        line.update(printable(text))
        line.display = bool(text)
        line.set_class(trouble, "-trouble")

    def next_code(self) -> tuple[str, int, int] | None:
        """The code block after the one given last: its text, its number, how many there are."""
        blocks = code_blocks(self.answer)
        if not blocks:
            return None
        self._code = (self._code + 1) % len(blocks)
        return blocks[self._code], self._code + 1, len(blocks)


def code_blocks(markdown: str) -> list[str]:
    """The text of each code block, without its fence."""
    tokens = _parser().parse(markdown)
    return [token.content for token in tokens if token.type in ("fence", "code_block")]
