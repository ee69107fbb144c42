"""What the engine thread tells the screen, in the order in which it happened.

It knows plain values only; it does not know threads or widgets.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_sdk.device import DeviceInfo
from edge_sdk.monitor import Monitor
from edge_sdk.telemetry import Reading


@dataclass(frozen=True)
class Starting:
    """A step of the start has begun or moved on; `done` of `total` where that is known."""

    text: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Opened:
    """The device is open and its telemetry is being read."""

    info: DeviceInfo
    monitor: Monitor


@dataclass(frozen=True)
class ModelFacts:
    """What the panel says about the model."""

    name: str
    file_bytes: int
    state_bytes: int
    """Bytes of recurrent state: float32 [L, d], whatever the length of the conversation."""
    parameters: int


@dataclass(frozen=True)
class Ready:
    """The model is loaded: questions are welcome."""

    model: ModelFacts


@dataclass(frozen=True)
class Figures:
    """Counts, seconds and energy of the last answer, as edge_sdk.ChatStats has them.

    Seconds and rates are 0.0 where there is nothing to tell yet.
    """

    prompt_tokens: int
    answer_tokens: int
    prefill_seconds: float
    decode_seconds: float
    first_token_seconds: float
    tokens_per_second: float
    context_used: int
    context_limit: int
    context_trimmed: int
    energy: Reading
    joules_per_token: Reading


@dataclass(frozen=True)
class Piece:
    """The next piece of the answer, exactly as the model wrote it."""

    text: str


@dataclass(frozen=True)
class Progressed:
    """Figures while the answer is being written."""

    figures: Figures


@dataclass(frozen=True)
class Answered:
    """The answer is complete, or was stopped and kept as far as it came."""

    figures: Figures
    stopped: bool
    kept: bool = True
    """Whether the turn is part of the conversation; one stopped before its first token is not."""
    old_answer: str | None = None
    """The answer that was to be replaced, if it came back."""


@dataclass(frozen=True)
class Undone:
    """The last turn is gone and the state is the one before it; not `done` if there was none."""

    done: bool
    figures: Figures


@dataclass(frozen=True)
class Cleared:
    """The conversation is empty."""


@dataclass(frozen=True)
class Failed:
    """Something went wrong; after a fatal failure the engine takes no more requests."""

    message: str
    hint: str | None
    exit_code: int
    fatal: bool
    kept: bool = False
    """Whether the turn that failed is still part of the conversation."""
    old_answer: str | None = None
    """The answer that was to be replaced, if it came back."""


Event = Starting | Opened | Ready | Piece | Progressed | Answered | Undone | Cleared | Failed
