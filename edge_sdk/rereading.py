"""Teaches a session a conversation that another model had: the text is fed again.

It knows turns as text and what of them fits; it does not know why that is needed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edge_sdk.device import Cancelled, Progress, Session
from edge_sdk.prompt import PromptWriter
from edge_sdk.status_line import put_before
from edge_sdk.turns import Turn


@dataclass(frozen=True)
class Spelt:
    """A turn in the ids of the model that is to read it; none where it does not fit."""

    turn: Turn
    question: list[int]
    answer: list[int]
    closing: list[int]
    start: int
    """Index of the oldest turn that fits."""

    @property
    def ids(self) -> tuple[int, ...]:
        """All ids, in the order of feeding."""
        return (*self.question, *self.answer, *self.closing)


def plan(
    turns: Sequence[Turn],
    writer: PromptWriter,
    context_limit: int,
    max_tokens: int,
    line: str = "",
) -> list[Spelt]:
    """All `turns`; the newest that fit with their ids, the older ones without.

    line: readings of now, which stand before the oldest that fits.

    All fit where an answer (a quarter of the limit at most) still has room behind them; else those
    in half of the limit are taken, as Chat does when a conversation grows too long.
    """
    answers = [writer.answer(turn.assistant) for turn in turns]
    lengths = [
        len(writer.question(turn.user, first=False)) + len(answer) + len(writer.closing)
        for turn, answer in zip(turns, answers, strict=True)
    ]
    room = context_limit - min(max_tokens, context_limit // 4)
    # BOS and system text stand in front of the oldest.
    lead = len(writer.question(put_before(line, turns[0].user), first=True)) if turns else 0
    lead -= len(writer.question(turns[0].user, first=False)) if turns else 0
    if sum(lengths) + lead > room:
        room = context_limit // 2
    start, used = len(turns), lead
    while start and used + lengths[start - 1] <= room:
        start -= 1
        used += lengths[start]
    return [
        Spelt(turn, [], [], [], index + 1)
        if index < start
        else Spelt(
            turn,
            writer.question(
                put_before(line if index == start else "", turn.user), first=index == start
            ),
            answer,
            writer.closing,
            start,
        )
        for index, (turn, answer) in enumerate(zip(turns, answers, strict=True))
    ]


def read_again(
    session: Session,
    spelt: Iterable[Spelt],
    cancel: threading.Event | None,
    progress: Progress | None,
) -> list[Turn]:
    """Feed `spelt` from the zero state; the turns with this session's ids and states.

    Polls `cancel` between turns and inside long ones, and then raises Cancelled.
    """
    session.reset()
    spelt = list(spelt)
    total, turns = sum(len(each.ids) for each in spelt), []
    for each in spelt:
        before, done = session.snapshot(), session.position
        if progress is not None:
            progress("reading the conversation", done, total)
        if each.ids:
            if cancel is not None and cancel.is_set():
                raise Cancelled
            session.feed(each.ids, cancel=cancel, progress=_behind(done, total, progress))
        stats = replace(each.turn.stats, context_used=session.position, context_trimmed=each.start)
        turns.append(
            replace(
                each.turn,
                before=before,
                after=session.snapshot(),
                ids=each.ids,
                question_tokens=len(each.question),
                closing_tokens=len(each.closing),
                stats=stats,
                context_start=each.start,
            )
        )
    return turns


def _behind(done: int, total: int, progress: Progress | None) -> Progress | None:
    """Progress of one feed as a part of the whole."""
    if progress is None:
        return None
    return lambda what, fed, _: progress("reading the conversation", done + fed, total)
