"""Token after token from a session: pick, feed, hand out, until something ends it.

It knows token ids; it does not know text.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from edge_sdk.device import Cancelled, Candidates, Session
from edge_sdk.errors import UsageError
from edge_sdk.sampling import Sampler

StopReason = Literal["stop", "length", "cancelled"]


def generate(
    session: Session,
    prompt_ids: Sequence[int],
    *,
    sampling: Sampler | None = None,
    max_tokens: int = 256,
    stop_ids: Collection[int] | None = None,
    cancel: threading.Event | None = None,
) -> Generation:
    """Feed `prompt_ids` (at least one) and iterate over the ids of the continuation.

    sampling: None is `Sampler()`. stop_ids: a pick of one of these ends the iteration; it is
    neither fed nor handed out. None takes the model's. cancel: polled between tokens and inside a
    long feed; once it is set, the iteration ends quietly.

    Each token is fed before it is handed out. So whenever the caller looks, and wherever it stops
    iterating, the session's state is that after the prompt and every id handed out: a
    conversation can go on from there. Nothing happens before the first `next`; cancelled within
    the prompt, the state is as it was before. Errors of the device pass through.

    Raises UsageError at once for an empty prompt or max_tokens below 1.
    """
    return Generation(
        session,
        prompt_ids,
        Sampler() if sampling is None else sampling,
        max_tokens,
        frozenset(session.model.stop_ids if stop_ids is None else stop_ids),
        cancel,
    )


class Generation(Iterator[int]):
    """The iterator that `generate` returns, with how it went."""

    def __init__(
        self,
        session: Session,
        prompt_ids: Sequence[int],
        sampler: Sampler,
        max_tokens: int,
        stop_ids: frozenset[int],
        cancel: threading.Event | None,
    ) -> None:
        if not len(prompt_ids):
            raise UsageError(
                "the prompt has no tokens; expected at least one.",
                hint="begin with the model's config.bos_token_id where there is no text.",
            )
        if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
            raise UsageError(
                f"max_tokens is {max_tokens!r}; expected a whole number from 1.",
                hint="leave it out to use the default.",
            )
        self._session = session
        self._sampler = sampler
        self._max_tokens = max_tokens
        self._stop_ids = stop_ids
        self._cancel = cancel
        self._candidates: Candidates | None = None
        self.prompt = list(prompt_ids)
        self.tokens: list[int] = []
        """The ids handed out so far."""
        self.stop_reason: StopReason | None = None
        """Why it ended; None while it goes on."""
        self.prefill_seconds: float | None = None
        """Time to feed the prompt; None before that is done."""
        self.decode_seconds = 0.0
        """Time to pick and feed the tokens, without what the caller did between."""

    def __next__(self) -> int:
        token = None
        if self.stop_reason is None:
            try:
                token = self._step()
            except Cancelled:
                self.stop_reason = "cancelled"
        if token is None:
            raise StopIteration
        return token

    def _step(self) -> int | None:
        """Pick and feed one token; None, with the reason set, where it ends."""
        if len(self.tokens) == self._max_tokens:
            self.stop_reason = "length"
            return None
        if self._candidates is None:
            start = time.perf_counter()
            self._candidates = self._session.feed(self.prompt, cancel=self._cancel)
            self.prefill_seconds = time.perf_counter() - start
        if self._cancel is not None and self._cancel.is_set():
            self.stop_reason = "cancelled"
            return None
        start = time.perf_counter()
        token = self._sampler.pick(self._candidates, self._recent())
        if token in self._stop_ids:
            self.stop_reason = "stop"
            return None
        self._candidates = self._session.feed([token], cancel=self._cancel)
        self.decode_seconds += time.perf_counter() - start
        self.tokens.append(token)
        return token

    def _recent(self) -> list[int]:
        """The last ids for the repetition penalty, without those that must stay free to end it."""
        window = self._sampler.repetition_window
        if self._sampler.repetition_penalty == 1.0 or window == 0:
            return []
        recent = (self.prompt[-window:] + self.tokens[-window:])[-window:]
        return [token for token in recent if token not in self._stop_ids]
