"""An answer's text as it grows: whole characters only, and never a part of a stop text.

It knows a decoder and stop texts; it does not know sessions or templates.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.tokenizer import IncrementalDecoder


class AnswerText:
    """Collects tokens and gives out the text that may be shown already."""

    def __init__(self, decoder: IncrementalDecoder, stops: Sequence[str]) -> None:
        self.text = ""
        """All text so far, cut at the first stop text."""
        self.stopped = False
        """Whether a stop text was found."""
        self._decoder = decoder
        self._stops = stops
        self._shown = 0
        self._begun = 0
        # Characters of text after each token, to find the tokens before a stop text.
        self._lengths: list[int] = []

    def begin(self, kept: Sequence[int]) -> str:
        """Take the ids that the answer begins with, all of it to be shown; their text."""
        self.text = "".join(map(self._decoder.feed, kept))
        self._begun = self._shown = len(self.text)
        return self.text

    def feed(self, token: int) -> str:
        """Take the next token; the text that can no longer become a stop text, maybe ""."""
        if self.stopped:
            return ""
        self.text += self._decoder.feed(token)
        self._lengths.append(len(self.text))
        return self._show(self._held_back())

    def finish(self) -> str:
        """The rest of the text, once no token follows."""
        if not self.stopped:
            self.text += self._decoder.flush()
        return self._show(0)

    def before_stop(self) -> tuple[int, str]:
        """How many tokens lie whole before the stop text, and the text between them and it.

        Those that the answer began with do not count.
        """
        count = sum(length <= len(self.text) for length in self._lengths)
        return count, self.text[self._lengths[count - 1] if count else self._begun :]

    def _held_back(self) -> int:
        """Characters at the end that may be the beginning of a stop text."""
        longest = 0
        for stop in self._stops:
            for size in range(min(len(stop) - 1, len(self.text) - self._shown), longest, -1):
                if self.text.endswith(stop[:size]):
                    longest = size
                    break
        return longest

    def _show(self, held_back: int) -> str:
        found = [self.text.find(stop, self._shown) for stop in self._stops]
        places = [place for place in found if place >= 0]
        if places:
            self.stopped = True
            self.text = self.text[: min(places)]
            held_back = 0
        shown, self._shown = self._shown, max(self._shown, len(self.text) - held_back)
        return self.text[shown : self._shown]
