"""How one turn of a conversation becomes token ids.

It knows the chat template, the tokenizer and what a prompt may hold; it does not know sessions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from edge_sdk.chat_template import ChatTemplate
from edge_sdk.errors import UsageError
from edge_sdk.tokenizer import Tokenizer, whole

MAX_PROMPT = 256 << 10
"""Bytes of UTF-8 in one prompt."""
# Category Cc without \t and \n: no model was trained on them, and they steer terminals.
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean_prompt(text: str) -> str:
    """A user's text without control characters, outer white space and half surrogate pairs.

    Raises UsageError if nothing is left or it is longer than MAX_PROMPT.
    """
    if not isinstance(text, str):
        raise UsageError(
            f"a prompt must be text, not {type(text).__name__}.",
            hint="give a str; bytes are decoded with .decode().",
        )
    # A character has at most 4 bytes; so a much too long text is not copied first.
    if len(text) > MAX_PROMPT or len(whole(text).encode()) > MAX_PROMPT:
        raise UsageError(
            f"the prompt is longer than {MAX_PROMPT >> 10} KiB.",
            hint="send a part of it.",
        )
    text = _clean(text).strip()
    if not text:
        raise UsageError("the prompt is empty.", hint="write a question.")
    return text


def _clean(text: str) -> str:
    text = whole(text).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL_CHARACTERS.sub("", text)


class PromptWriter:
    """Writes turns as ids: control markers as their ids, all else as text.

    Neighbouring texts are encoded as one, so that a template without control tokens reads like a
    text that was written in one go.
    """

    def __init__(self, tokenizer: Tokenizer, template: ChatTemplate, system: str | None) -> None:
        """`system` is put in front of the first question, on lines of its own."""
        self._tokenizer = tokenizer
        self._template = template
        self._system = f"{system}\n" if system else ""
        self.stop_texts = tuple(
            stop for stop in template.stop if tokenizer.encode_control(stop) is None
        )
        """Those ends of an answer that are no control tokens."""

        closing = tokenizer.split_control(template.assistant[1])
        self.closing = self._encode(closing, start=False)
        """The ids after an answer."""
        self._closes_with_control = bool(closing) and isinstance(closing[-1], int)

    def question(self, text: str, *, first: bool) -> list[int]:
        """The ids of a user's turn up to where the answer begins.

        first: nothing is before it, so it gets the tokenizer's BOS and the system text. Tokens
        that `text` spells stay text.
        """
        split = self._tokenizer.split_control
        prefix, suffix = self._template.user
        said = self._system + text if first else text
        parts = [*split(prefix), said, *split(suffix), *split(self._template.assistant[0])]
        bos = self._tokenizer.bos_id
        lead = [bos] if first and bos is not None else []
        return lead + self._encode(parts, start=first or self._closes_with_control)

    def answer_so_far(self, text: str) -> str:
        """`text` as the beginning of an answer: clean, and nothing in it that may end one.

        What follows a stop text is cut off, and so is a beginning of one at the end: the model
        writes it again if it means it. Raises UsageError if it is longer than MAX_PROMPT.
        """
        if len(text) > MAX_PROMPT:
            raise UsageError(
                f"the answer is longer than {MAX_PROMPT >> 10} KiB.", hint="keep a part of it."
            )
        text = _clean(text)
        for stop in self.stop_texts:
            text = text.partition(stop)[0]
        starts = {stop[:size] for stop in self.stop_texts for size in range(1, len(stop))}
        # Again and again: behind what was cut off there may have been another one.
        while size := max((len(start) for start in starts if text.endswith(start)), default=0):
            text = text[:-size]
        return text

    def answer(self, text: str) -> list[int]:
        """The ids of an answer whose text is `text`."""
        ids = self._tokenizer.encode(text, start=True)
        if self._tokenizer.decode(ids) != text:
            # A tokenizer that puts a space in front and does not take it away again.
            ids = self._tokenizer.encode(text, start=False)
        return ids

    def continued(self, text: str) -> list[int]:
        """The ids of a text in the middle of an answer."""
        return self._tokenizer.encode(text, start=False)

    def _encode(self, parts: Iterable[int | str], *, start: bool) -> list[int]:
        """`start`: whether a text at the beginning stands on its own, as behind a control id."""
        ids: list[int] = []
        run = ""
        for part in [*parts, None]:
            if isinstance(part, str):
                run += part
                continue
            if run:
                ids += self._tokenizer.encode(run, start=start)
                run = ""
            if part is not None:
                ids.append(part)
                start = True
        return ids
