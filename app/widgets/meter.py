"""One line of the panel: a name, a figure, and the word that says how far it can be trusted.

It knows how to lay out a `Figure`; it does not know what is measured.
"""

from __future__ import annotations

from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from edge_sdk.app.figures import UNKNOWN, Figure

MARK_WIDTH = 11
"""Cells for the longest provenance word, `unavailable`."""


class Meter(Widget, can_focus=True):
    """Focus (tab) or hover shows the whole truth: source, scope, or reason and remedy."""

    class Explained(Message):
        """The reader asks about this figure, or no longer does (`text` is then empty)."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, label: str, id: str) -> None:
        super().__init__(id=id)
        self._label = label
        self.figure = Figure(UNKNOWN)

    def show(self, figure: Figure) -> None:
        """Set the figure."""
        if figure != self.figure:
            self.figure = figure
            self.tooltip = Content(figure.detail) if figure.detail else None
            self.refresh()
            if self.has_focus:
                self.post_message(self.Explained(figure.detail))

    def render(self) -> Content:
        """Label on the left, figure and word in columns on the right."""
        value, mark = self.figure.value, self.figure.mark
        room = self.size.width - len(self._label) - MARK_WIDTH - 1
        return Content.assemble(
            (self._label, "dim"),
            (value.rjust(room), "dim" if value == UNKNOWN else "bold"),
            " ",
            (mark.ljust(MARK_WIDTH), "dim"),
        )

    def on_focus(self) -> None:
        """Ask the panel to explain this figure."""
        self.post_message(self.Explained(self.figure.detail))

    def on_blur(self) -> None:
        """Take the explanation back."""
        self.post_message(self.Explained(""))
