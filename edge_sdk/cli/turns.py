"""Reads what a user types or pipes, a turn a line.

It knows bytes, lines and their limits; it does not know who answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import BinaryIO

from edge_sdk.errors import UsageError

MAX_LINE = 256 * 1024
"""Bytes of one turn: more than any model here can use, less than would fill the memory."""

_CONTROL_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Category Cc without tab, newline and carriage return."""


def read_turns(stream: BinaryIO, before: Callable[[], None] | None = None) -> Iterator[str]:
    """Every line of `stream` that is not blank, as soon as it is there, without its line end.

    `before` is called before each line is read. Raises UsageError for a line that is not UTF-8 or
    longer than MAX_LINE bytes.
    """
    for number in count(1):
        if before is not None:
            before()
        line = stream.readline(MAX_LINE + 1)
        if not line:
            return
        text = _decode(line, number).removeprefix("\ufeff").rstrip()
        if text.strip():
            yield text


def check_prompt(prompt: str) -> str:
    """A prompt from the command line; raises UsageError for what a line of a pipe may not be."""
    try:
        data = prompt.encode()
    except UnicodeEncodeError:
        raise _not_utf8("the prompt") from None
    return refuse_control_characters(_decode(data, 1)).strip()


def refuse_control_characters(text: str) -> str:
    """Return `text`; raises UsageError if it has a control character other than tab and line end.

    They come from coloured or binary output; the model would be asked something else than is seen.
    """
    found = _CONTROL_CHARACTER.search(text)
    if found:
        raise UsageError(
            f"the prompt has the control character U+{ord(found[0]):04X}; expected plain text.",
            hint="take it out, e.g. with `sed 's/[[:cntrl:]]//g'`.",
        )
    return text


def nothing_to_answer() -> UsageError:
    """The error for a pipe without a single turn."""
    return UsageError(
        "there is nothing to answer: the input is empty.",
        hint='write something into the pipe, like `echo "Hello!" | edge-sdk chat`.',
    )


def _decode(data: bytes, number: int) -> str:
    if len(data) > MAX_LINE and not data.endswith(b"\n"):
        raise UsageError(
            f"line {number} of the input is longer than {MAX_LINE // 1024} KiB.",
            hint="break it into several lines; each is one turn.",
        )
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _not_utf8(f"line {number} of the input") from None


def _not_utf8(what: str) -> UsageError:
    return UsageError(
        f"{what} is not valid UTF-8 text.",
        hint="convert it first, e.g. with `iconv -t UTF-8`.",
    )
