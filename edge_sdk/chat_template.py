"""How a conversation is written as text: what stands before and after each turn.

It knows the marker strings of a template and their limits; it does not know token ids.

chat.json beside a checkpoint, and the `chat` map of a packed file:

    {"user": ["<|user|>", ""], "assistant": ["<|bot|>", "<|end|>"], "stop": ["<|end|>", "<|eod|>"]}

Marker strings that are control tokens of the tokenizer are encoded as those ids by the chat code;
what a user types never is. An optional field `"status": true` says that the model was trained on
the line of live readings (status_line.py), which Chat then puts before each question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_sdk.errors import ModelRejected

MAX_MARKER = 256
"""Characters in one marker."""
MAX_STOPS = 16


@dataclass(frozen=True)
class ChatTemplate:
    """The markers around a user's and an assistant's turn, and those that end an answer."""

    user: tuple[str, str]
    """Prefix and suffix of a user's turn."""
    assistant: tuple[str, str]
    """Prefix and suffix of an answer; an answer is generated right after the prefix."""
    stop: tuple[str, ...]
    """Texts (or control tokens) that end an answer and are not part of it."""
    status: bool = False
    """Whether the model was trained on a line of live readings before a question."""

    @classmethod
    def from_dict(cls, raw: object) -> ChatTemplate:
        """Read what chat.json holds; raises ModelRejected on anything but exactly that."""
        if not isinstance(raw, dict) or set(raw) - {"status"} != {"user", "assistant", "stop"}:
            raise _bad("it must have the fields 'user', 'assistant', 'stop', perhaps 'status'")
        user = _markers("user", raw["user"], 2, 2)
        assistant = _markers("assistant", raw["assistant"], 2, 2)
        stop = _markers("stop", raw["stop"], 0, MAX_STOPS)
        if "" in stop:
            raise _bad("'stop' holds an empty text, which would end every answer at once")
        status = raw.get("status", False)
        if not isinstance(status, bool):
            raise _bad("'status' must be true or false")
        return cls((user[0], user[1]), (assistant[0], assistant[1]), stop, status)

    def to_dict(self) -> dict[str, Any]:
        """The template as plain values, for JSON and for the packed file's header."""
        fields: dict[str, Any] = {
            "user": list(self.user),
            "assistant": list(self.assistant),
            "stop": list(self.stop),
        }
        return fields | ({"status": True} if self.status else {})


PLAIN = ChatTemplate(user=("User: ", "\n"), assistant=("Assistant:", "\n"), stop=("\nUser:",))
"""For base models, which have learnt no markers: a transcript that they may continue."""


def _markers(name: str, raw: object, least: int, most: int) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple) or not least <= len(raw) <= most:
        count = f"exactly {most}" if least == most else f"at most {most}"
        raise _bad(f"{name!r} must be a list of {count} texts")
    for text in raw:
        if not isinstance(text, str) or len(text) > MAX_MARKER:
            raise _bad(f"{name!r} must hold texts of at most {MAX_MARKER} characters")
        # JSON can spell half a surrogate pair, which no encoder can write again.
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise _bad(f"{name!r} holds a text that is not valid Unicode")
    return tuple(raw)


def _bad(detail: str) -> ModelRejected:
    return ModelRejected(
        f"the chat template was refused: {detail}.",
        hint='write chat.json like {"user": ["<|user|>", ""], "assistant": ["<|bot|>", '
        '"<|end|>"], "stop": ["<|end|>"]}, or remove it.',
    )
