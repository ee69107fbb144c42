"""Answers one request at a time on one session, and remembers the states of what was said.

It knows conversations and the session; it does not know HTTP, threads or JSON. The protocol sends
the whole conversation each time; where it goes on from one that was answered here, the recurrent
state is restored and only the new question is fed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from edge_sdk.chat import Chat
from edge_sdk.chat_stats import ChatStats
from edge_sdk.device import Session
from edge_sdk.errors import DeviceDisconnected
from edge_sdk.server.request import ChatRequest
from edge_sdk.telemetry import Reading
from edge_sdk.turns import Turn, text_only

REMEMBERED = 256
"""Conversations whose states are kept; one state is tens to hundreds of KB."""

Said = tuple[str, tuple[tuple[str, str], ...]]
"""System text, and questions with answers."""


@dataclass
class Answer:
    """What came of a request, once its pieces are read."""

    stats: ChatStats = field(default_factory=lambda: ChatStats(1))
    finish_reason: str = "stop"
    cached_tokens: int = 0
    """Tokens of the prompt that were known already, and not fed."""
    prompt_tokens: int = 0


class Stand(Protocol):
    """Where the model runs; edge_sdk.server.place has the real one."""

    def session(self) -> Session:
        """The model on a device; may open it, and then raise EdgeError."""

    def power(self) -> Reading:
        """Watts now."""

    def let_go(self) -> None:
        """Close a device that went away, so that it can be opened again."""


class Talker:
    """Use from one thread at a time."""

    def __init__(self, place: Stand, *, max_tokens: int, context_limit: int) -> None:
        """max_tokens: longest answer where the request does not say; context_limit: see Chat."""
        self._place = place
        self._max_tokens = max_tokens
        self._context_limit = context_limit
        self._known: OrderedDict[Said, list[Turn]] = OrderedDict()

    def answer(self, request: ChatRequest, cancel: threading.Event, into: Answer) -> Iterator[str]:
        """Iterate over the pieces; fills `into`. Raises EdgeError, or Cancelled while feeding.

        A device that went away is opened again for the next request; the states are still known.
        """
        try:
            yield from self._answer(self._place.session(), request, cancel, into)
        except DeviceDisconnected:
            self._place.let_go()
            raise

    def _answer(
        self, session: Session, request: ChatRequest, cancel: threading.Event, into: Answer
    ) -> Iterator[str]:
        chat = Chat(
            session,
            sampling=request.sampler,
            max_tokens=request.max_tokens or self._max_tokens,
            system=request.system.strip() or None,
            context_limit=self._context_limit,
            stop=request.stop,
            power=self._place.power,
            # A client's prompt is what the client wrote.
            status=False,
        )
        turns = self._turns(request)
        fed = chat.resume(turns, cancel=cancel)
        known = session.position - fed
        try:
            yield from chat.ask(request.question, cancel=cancel)
        finally:
            stats = into.stats = chat.stats
            # A conversation that was cut had to be read anew.
            into.cached_tokens = 0 if stats.context_trimmed else known
            into.prompt_tokens = stats.prompt_tokens + known + fed
            into.finish_reason = "length" if stats.stop_reason == "length" else "stop"
        turn = chat.turns[-1] if len(chat.turns) > len(turns) else None
        if turn is not None:
            said = (*request.past, (request.question, turn.assistant))
            self._remember((request.system, said), list(chat.turns))

    def _turns(self, request: ChatRequest) -> list[Turn]:
        known = self._known.get((request.system, request.past))
        if known is not None:
            self._known.move_to_end((request.system, request.past))
            return known
        return [text_only(question, answer) for question, answer in request.past]

    def _remember(self, said: Said, turns: list[Turn]) -> None:
        self._known[said] = turns
        self._known.move_to_end(said)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
