"""Writes one turn of a conversation: makes room, feeds the question, generates, closes the answer.

It knows the session's state and ids; it does not know which turns came before or come after, nor
what becomes of a turn that fails.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edge_sdk.answer_text import AnswerText
from edge_sdk.chat_stats import ChatStats, PowerPoll
from edge_sdk.device import Cancelled, Session, State
from edge_sdk.generation import Generation, generate
from edge_sdk.prompt import PromptWriter
from edge_sdk.sampling import Sampler
from edge_sdk.status_line import put_before
from edge_sdk.telemetry import Reading
from edge_sdk.turns import Turn, newest_turns


@dataclass(frozen=True)
class TurnWriter:
    """What all turns of a conversation have in common."""

    session: Session
    prompts: PromptWriter
    sampler: Sampler
    stops: Sequence[str]
    """Texts that end an answer."""
    context_limit: int
    power: Callable[[], Reading]

    def write(
        self,
        turns: list[Turn],
        text: str,
        before: State,
        kept: Sequence[int],
        stats: ChatStats,
        limit: int,
        flag: threading.Event,
        line: Callable[[], str],
        told: bool,
    ) -> Iterator[str]:
        """Feed the question `text`, yield the pieces of the answer, add the turn to `turns`.

        before: the session's state now. kept: the ids that the answer begins with. limit: how many
        ids may be generated. line: gives the live readings that stand before the question, where
        it is to be `told` them, and before the oldest turn where turns are fed again; in the ids,
        not in the turns' text. Sensors are read for nothing else. Raises Cancelled, or what the
        device meets, before there is a turn.
        """
        asked = put_before(line(), text) if told else text
        began = time.perf_counter()
        poll = PowerPoll(self.power, stats.meter)
        poll.poll(now=True)
        start = self._make_room(turns, asked, limit, len(kept), flag, line)
        stats.context_trimmed = start
        base = before if start == _context_start(turns) else self.session.snapshot()
        prompt = self.prompts.question(asked, first=start == len(turns))
        stats.prompt_tokens, stats.kept_tokens = len(prompt), len(kept)
        prompt += kept
        run = generate(self.session, prompt, sampling=self.sampler, max_tokens=limit, cancel=flag)
        answer = AnswerText(self.session.model.tokenizer.decoder(), self.stops)
        lead = answer.begin(kept)
        try:
            for token in run:
                piece, lead = lead + answer.feed(token), ""
                stats.prefill_seconds = run.prefill_seconds or 0.0
                stats.decode_seconds = run.decode_seconds
                stats.first_token_seconds = stats.first_token_seconds or time.perf_counter() - began
                stats.answer_tokens = len(run.tokens)
                stats.context_used = self.session.position
                poll.poll()
                if piece:
                    yield piece
                if answer.stopped:
                    break
            if run.prefill_seconds is None:
                raise Cancelled
            if rest := lead + answer.finish():
                yield rest
        except GeneratorExit:
            answer.finish()
            turns.append(self._close(text, before, base, run, answer, stats))
            poll.poll(now=True)
            raise
        turns.append(self._close(text, before, base, run, answer, stats))
        poll.poll(now=True)

    def _close(
        self,
        text: str,
        before: State,
        base: State,
        run: Generation,
        answer: AnswerText,
        stats: ChatStats,
    ) -> Turn:
        """Close the answer in the session's state; `base`: the state before the question."""
        closing = self.prompts.closing
        ids = [*run.prompt, *run.tokens, *closing]
        if answer.stopped:
            # The stop text was fed, token by token, before it could be known. Take it out.
            count, rest = answer.before_stop()
            written = [*run.tokens[:count], *self.prompts.continued(rest)]
            ids = [*run.prompt, *written, *closing]
            self.session.restore(base)
            self.session.feed(ids)
        elif closing:
            self.session.feed(closing)
        reason = "stop" if answer.stopped else run.stop_reason or "cancelled"
        stats.prefill_seconds = run.prefill_seconds or 0.0
        stats.context_used = self.session.position
        stats.stop_reason = reason
        return Turn(
            user=text,
            assistant=answer.text,
            before=before,
            after=self.session.snapshot(),
            ids=tuple(ids),
            question_tokens=stats.prompt_tokens,
            closing_tokens=len(closing),
            stop_reason=reason,
            stats=stats,
            context_start=stats.context_trimmed,
        )

    def _make_room(
        self,
        turns: list[Turn],
        text: str,
        limit: int,
        kept: int,
        flag: threading.Event,
        line: Callable[[], str],
    ) -> int:
        """Make the question fit; the index of the oldest turn that the state still holds."""
        start, end = _context_start(turns), len(turns)
        room = self.context_limit - min(limit, self.context_limit // 4) - kept
        question = self.prompts.question(text, first=start == end)
        if start == end or self.session.position + len(question) <= room:
            return start
        # Half at most: or else every later turn would have to feed nearly all of it again.
        room = min(room - len(question), self.context_limit // 2)
        oldest, ids = newest_turns(turns, start, room, self.prompts, line())
        self.session.reset()
        if ids:
            self.session.feed(ids, cancel=flag)
        return oldest


def _context_start(turns: Sequence[Turn]) -> int:
    """Index of the oldest turn that the state holds."""
    return turns[-1].context_start if turns else 0
