"""Turns as the history file keeps them: a form of ids and state for each model, and the figures.

It knows how they are written as bytes and JSON; it does not know SQL.
"""

from __future__ import annotations

import json
from typing import Any, cast

import msgpack

from edge_sdk.chat_stats import ChatStats
from edge_sdk.device import State
from edge_sdk.errors import ModelRejected
from edge_sdk.generation import StopReason
from edge_sdk.telemetry import EnergyMeter, Provenance, Reading
from edge_sdk.turns import UNKNOWN, Turn

MAX_FORM = 64 << 20
"""Bytes of one form: a state of 16 M numbers, far beyond any model that runs here."""

_COUNTS = (
    "context_limit",
    "context_used",
    "context_trimmed",
    "prompt_tokens",
    "kept_tokens",
    "answer_tokens",
    "prefill_seconds",
    "decode_seconds",
    "first_token_seconds",
)


def pack_form(turn: Turn) -> bytes:
    """Ids, their parts and the state after the turn; the state before is the parent's."""
    value = {
        "ids": list(turn.ids),
        "question": turn.question_tokens,
        "closing": turn.closing_tokens,
        "start": turn.context_start,
        "used": turn.stats.context_used,
        "state": turn.after.to_bytes(),
    }
    packed: bytes = msgpack.packb(value)
    return packed


def unpack_form(data: bytes, user: str, assistant: str, stop_reason: str, stats: ChatStats) -> Turn:
    """The turn that `pack_form` wrote, `before` still unknown; raises ModelRejected if damaged."""
    try:
        raw: Any = msgpack.unpackb(data, raw=False, strict_map_key=True, max_bin_len=MAX_FORM)
        ids = tuple(int(token) for token in raw["ids"])
        question, closing, start = int(raw["question"]), int(raw["closing"]), int(raw["start"])
        stats.context_used, stats.context_trimmed = int(raw["used"]), start
        state = State.from_bytes(raw["state"])
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        raise ModelRejected("a saved turn is malformed.", hint="its text is fed again.") from error
    if not 0 <= question + closing <= len(ids) or min(question, closing, start) < 0:
        raise ModelRejected("a saved turn has odd lengths.", hint="its text is fed again.")
    return Turn(
        user=user,
        assistant=assistant,
        before=UNKNOWN,
        after=state,
        ids=ids,
        question_tokens=question,
        closing_tokens=closing,
        stop_reason=cast(StopReason, stop_reason),
        stats=stats,
        context_start=start,
    )


def stats_to_json(stats: ChatStats) -> str:
    """The figures of an answer with its energy, for the file and for export."""
    values: dict[str, object] = {name: getattr(stats, name) for name in _COUNTS}
    values["stop_reason"] = stats.stop_reason
    values["energy"] = stats.energy.to_json()
    return json.dumps(values)


def stats_from_json(text: str) -> ChatStats:
    """What `stats_to_json` wrote; figures that cannot be read are nought, energy unavailable."""
    try:
        raw: Any = json.loads(text)
        energy = raw["energy"]
        reading = Reading(
            None if energy["value"] is None else float(energy["value"]),
            "J",
            Provenance(energy["provenance"]),
            str(energy["source"]),
            reason=energy["reason"],
            remedy=energy["remedy"],
        )
        stats = ChatStats(int(raw["context_limit"]), meter=EnergyMeter.of(reading))
        for name in _COUNTS:
            kind = type(getattr(stats, name))
            setattr(stats, name, kind(raw[name]))
        stats.stop_reason = raw["stop_reason"]
    except (ValueError, TypeError, KeyError):
        return ChatStats(1)
    return stats
