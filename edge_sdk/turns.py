"""The turns of a conversation, and which of them fit when it grows too long.

It knows turns as ids; it does not know sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_sdk.chat_stats import ChatStats
from edge_sdk.device import State
from edge_sdk.generation import StopReason
from edge_sdk.prompt import PromptWriter
from edge_sdk.status_line import put_before


@dataclass(frozen=True)
class Turn:
    """One question and its answer."""

    user: str
    assistant: str
    """The whole answer; a reader that stopped early may have seen a few characters less."""
    before: State
    """The session's state before the question."""
    after: State
    """The session's state after the turn: the conversation can go on from it at any time."""
    ids: tuple[int, ...]
    """All ids of the turn, as they were fed: question, answer and what closes it."""
    question_tokens: int
    """How many of `ids` are the question."""
    closing_tokens: int
    """How many of `ids` close the answer."""
    stop_reason: StopReason
    stats: ChatStats
    context_start: int = 0
    """Index of the oldest turn that the model knew; those before it were left out."""


UNKNOWN = State("", 0, np.zeros((1, 1), np.float32))
"""Stands where no state is known: it is no model's, so the text is fed again."""


def text_only(
    user: str, assistant: str, stop_reason: StopReason = "stop", stats: ChatStats | None = None
) -> Turn:
    """A turn of which only the text is known; `Chat.resume` takes it, and feeds it."""
    return Turn(
        user=user,
        assistant=assistant,
        before=UNKNOWN,
        after=UNKNOWN,
        ids=(),
        question_tokens=0,
        closing_tokens=0,
        stop_reason=stop_reason,
        stats=ChatStats(1) if stats is None else stats,
    )


def newest_turns(
    turns: Sequence[Turn], start: int, room: int, writer: PromptWriter, line: str = ""
) -> tuple[int, list[int]]:
    """The newest of turns[start:] that fit into `room` ids: index of the oldest, and the ids.

    The oldest gets BOS and system text anew, as nothing is before it any more, and `line`, the
    readings of now. Index len(turns) and no ids where not even the last turn fits.
    """
    oldest, fitting = len(turns), []
    behind: list[int] = []
    for index in range(len(turns) - 1, start - 1, -1):
        turn = turns[index]
        answer = [*turn.ids[turn.question_tokens :], *behind]
        ids = [*writer.question(put_before(line, turn.user), first=True), *answer]
        if len(ids) > room:
            break
        oldest, fitting = index, ids
        behind = [*writer.question(turn.user, first=False), *answer]
    return oldest, fitting
