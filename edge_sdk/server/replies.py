"""Writes answers, chunks and errors as the chat-completions protocol has them.

It knows JSON shapes; it does not know how an answer comes about.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

from edge_sdk.server.talker import Answer

Json = dict[str, object]


@dataclass(frozen=True)
class Completion:
    """One completion: its id, its time, its model."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        """A part of a stream."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return self._head("chat.completion.chunk") | {"choices": [choice]}

    def usage_chunk(self, answer: Answer) -> Json:
        """The last part of a stream, where it was asked for."""
        return self._head("chat.completion.chunk") | {"choices": [], "usage": usage(answer)}

    def whole(self, text: str, answer: Answer) -> Json:
        """An answer in one piece."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "finish_reason": answer.finish_reason,
            "logprobs": None,
        }
        return self._head("chat.completion") | {"choices": [choice], "usage": usage(answer)}

    def _head(self, kind: str) -> Json:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def usage(answer: Answer) -> Json:
    """Tokens as the protocol counts them, and what the answer took.

    `energy` is in joules with its provenance; its value is null, with the reason, where there is
    no sensor.
    """
    stats = answer.stats
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": stats.answer_tokens,
        "total_tokens": answer.prompt_tokens + stats.answer_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
        "tokens_per_second": stats.tokens_per_second,
        "first_token_seconds": stats.first_token_seconds,
        "energy": stats.energy.to_json(),
        "joules_per_token": stats.joules_per_token.to_json(),
    }


def error(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> Json:
    """An error as the protocol has it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def model(name: str) -> Json:
    """One model."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "edge-sdk"}


def models(names: list[str]) -> Json:
    """The list of models."""
    return {"object": "list", "data": [model(name) for name in names]}
