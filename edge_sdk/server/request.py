"""Reads the body of a chat-completions request: what is asked, and how it is to be answered.

It knows the fields of the protocol and their limits; it does not know models, devices or HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_sdk.errors import UsageError
from edge_sdk.sampling import Sampler

MAX_MESSAGES = 4096
MAX_STOPS = 4
MAX_STOP = 256
"""Characters of one stop text."""

_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed")
"""Fields that are settings of edge_sdk.Sampler; the protocol has only some of them."""

_ONLY: dict[str, tuple[object, ...]] = {
    "n": (None, 1),
    "frequency_penalty": (None, 0),
    "presence_penalty": (None, 0),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "logit_bias": (None, {}),
    "tools": (None, []),
    "functions": (None, []),
    "tool_choice": (None, "none", "auto"),
    "audio": (None,),
    "modalities": (None, ["text"]),
    "response_format": (None, {"type": "text"}),
}
"""Fields of which only these values can be met; others are refused, not overlooked."""


class BadRequest(UsageError):
    """The request cannot be met; `param` names the field, as the protocol wants it."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True)
class ChatRequest:
    """A request that can be met."""

    model: str
    system: str
    past: tuple[tuple[str, str], ...]
    """Questions and answers so far."""
    question: str
    sampler: Sampler
    max_tokens: int | None
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool
    """Whether a stream ends with the usage."""


def parse(body: Any) -> ChatRequest:
    """Read a decoded JSON body; raises BadRequest that names the field."""
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object.", "body")
    for name, values in _ONLY.items():
        if not any(body.get(name) == value for value in values):
            raise BadRequest(f"{name} is not supported here; leave it out.", name)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest("model must be the name of the model.", "model")
    system, past, question = _messages(body.get("messages"))
    options = body.get("stream_options") or {}
    if not isinstance(options, dict):
        raise BadRequest("stream_options must be an object.", "stream_options")
    return ChatRequest(
        model=model,
        system=system,
        past=past,
        question=question,
        sampler=_sampler(body),
        max_tokens=_max_tokens(body),
        stop=_stop(body.get("stop")),
        stream=_flag("stream", body.get("stream")),
        include_usage=_flag("stream_options", options.get("include_usage")),
    )


def _messages(raw: Any) -> tuple[str, tuple[tuple[str, str], ...], str]:
    """System text, questions with answers, and the last question.

    Neighbouring messages of one role count as one, as some clients send them.
    """
    if not isinstance(raw, list) or not raw or len(raw) > MAX_MESSAGES:
        raise BadRequest(f"messages must be a list of 1 to {MAX_MESSAGES}.", "messages")
    system: list[str] = []
    said: list[tuple[str, str]] = []
    for number, message in enumerate(raw):
        role, text = _message(number, message)
        if role in ("system", "developer"):
            if said:
                raise _bad(number, "a system message must come before all others")
            system.append(text)
        elif said and said[-1][0] == role:
            said[-1] = (role, f"{said[-1][1]}\n\n{text}")
        else:
            said.append((role, text))
    if not said or said[0][0] != "user":
        raise BadRequest("the first message after the system's must be the user's.", "messages")
    if said[-1][0] != "user":
        raise BadRequest("the last message must be the user's.", "messages")
    texts = [text for _, text in said]
    past = tuple(zip(texts[:-1:2], texts[1::2], strict=True))
    return "\n\n".join(filter(None, system)), past, texts[-1]


def _message(number: int, message: Any) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise _bad(number, "it must be an object")
    role, content = message.get("role"), message.get("content")
    if role not in ("system", "developer", "user", "assistant"):
        raise _bad(number, f"its role {role!r:.40} is not supported")
    if isinstance(content, list):
        parts: list[str] = []
        for part in content:
            text = part.get("text") if isinstance(part, dict) else None
            if not isinstance(text, str) or part.get("type") != "text":
                raise _bad(number, "only parts of type 'text', with text, are supported")
            parts.append(text)
        content = "".join(parts)
    if not isinstance(content, str):
        raise _bad(number, "its content must be text")
    return role, content


def _bad(number: int, what: str) -> BadRequest:
    return BadRequest(f"message {number} was refused: {what}.", f"messages[{number}]")


def _sampler(body: dict[str, Any]) -> Sampler:
    given = {name: body[name] for name in _SAMPLING if body.get(name) is not None}
    try:
        return Sampler(**given)
    except UsageError as error:
        name = next((name for name in given if error.message.startswith(name)), "temperature")
        raise BadRequest(error.message, name) from None


def _max_tokens(body: dict[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is None:
            continue
        if type(value) is not int or value < 1:
            raise BadRequest(f"{name} must be a whole number from 1.", name)
        return value
    return None


def _stop(raw: Any) -> tuple[str, ...]:
    stops = [raw] if isinstance(raw, str) else [] if raw is None else raw
    if not isinstance(stops, list) or len(stops) > MAX_STOPS:
        raise BadRequest(f"stop must be a text or a list of at most {MAX_STOPS}.", "stop")
    for stop in stops:
        if not isinstance(stop, str) or not 0 < len(stop) <= MAX_STOP:
            raise BadRequest(f"a stop text must have 1 to {MAX_STOP} characters.", "stop")
    return tuple(stops)


def _flag(name: str, value: Any) -> bool:
    if value not in (None, True, False):
        raise BadRequest(f"{name} must be true or false.", name)
    return bool(value)
