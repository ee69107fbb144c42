"""The box that a question is typed into: several lines, with the questions of before.

It knows keys and text; it does not know what becomes of a question.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key, Paste
from textual.message import Message
from textual.widgets import TextArea

from edge_sdk.safe_text import printable

_SENDING: list[BindingType] = [
    Binding("enter", "submit", "Send", id="prompt.send"),
    Binding("ctrl+j,alt+enter,shift+enter", "newline", "New line", id="prompt.newline"),
]

_ACTIONS = {
    key: binding.action
    for binding in (*TextArea.BINDINGS, *_SENDING)
    if isinstance(binding, Binding)
    for key in binding.key.split(",")
}
"""What each key does to the text."""


class Prompt(TextArea):
    """Enter sends; ctrl+j, alt+enter and (where the terminal tells it) shift+enter break a line."""

    BINDINGS: ClassVar[list[BindingType]] = _SENDING

    class Submitted(Message):
        """The user wants this question answered."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Refused(Message):
        """The user pressed enter while no question is taken; the text stays."""

    def __init__(self) -> None:
        super().__init__(
            id="prompt",
            tab_behavior="focus",
            compact=True,
            highlight_cursor_line=False,
            placeholder="Ask something",
        )
        self.accepts = False
        """Whether enter sends now."""
        self._refused = ""
        self.remembers = True
        """Whether what is sent can be called back with the up key."""
        self._was_empty = True
        self._history: list[str] = []
        self._at: int | None = None

    def recall(self, questions: Sequence[str]) -> None:
        """Put questions of earlier runs, oldest first, before those of this one."""
        self._history[:0] = questions

    def set_text(self, text: str) -> None:
        """Show `text`, cursor at its end."""
        self.text = text
        self.move_cursor(self.document.end)

    async def on_key(self, event: Key) -> None:
        """Take the prompt's own keys at once, in the order in which they were pressed.

        A binding would be looked for only after the key went up to the app and back, behind an
        answer that is being painted: letters that were typed later would overtake a backspace.
        """
        action = _ACTIONS.get(event.key)
        if action is None or not await self.app.run_action(action, self):
            return
        event.prevent_default()
        event.stop()

    def action_submit(self) -> None:
        """Send what is typed, unless it is blank."""
        text = printable(self.text).strip()
        if text and self.accepts:
            if self.remembers and self._history[-1:] != [text]:
                self._history.append(text)
            self._at = None
            self.set_text("")
            self.accepts = False
            self.post_message(self.Submitted(text))
        elif text:
            self._refused = text
            self.post_message(self.Refused())

    def submit_refused(self) -> None:
        """Send what enter was pressed for while it was not taken, if it stands there unchanged."""
        if self._refused and self._refused == printable(self.text).strip():
            self.action_submit()
        self._refused = ""

    def action_newline(self) -> None:
        """Break the line."""
        self.insert("\n")

    def action_cursor_up(self, select: bool = False) -> None:
        """Walk back in the history from an empty prompt, else move the cursor."""
        if select or not self._walks():
            super().action_cursor_up(select)
        elif self._history:
            at = len(self._history) if self._at is None else self._at
            self._show(max(at - 1, 0))

    def action_cursor_down(self, select: bool = False) -> None:
        """Walk forward in the history, else move the cursor."""
        if select or self._at is None or not self._walks():
            super().action_cursor_down(select)
        else:
            self._show(self._at + 1)

    def _walks(self) -> bool:
        """Whether up and down mean the history: the prompt is empty, or an entry as it was."""
        if self._at is not None and self.text == self._history[self._at]:
            return True
        self._at = None
        return not self.text

    def _show(self, at: int) -> None:
        self._at = at if at < len(self._history) else None
        self.set_text(self._history[at] if at < len(self._history) else "")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave ctrl+u and ctrl+y to the screen while there is no text that they act on."""
        return bool(self.text) if action in ("delete_to_start_of_line", "redo") else True

    def on_text_area_changed(self) -> None:
        """Tell the footer, where keys depend on whether there is text; it is slow to redraw."""
        if self._was_empty != (not self.text):
            self._was_empty = not self.text
            self.refresh_bindings()

    def on_paste(self, event: Paste) -> None:
        """Paste without control characters."""
        event.prevent_default()
        event.stop()
        self.insert(printable(event.text))
