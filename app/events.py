"""What the engine thread tells the screen, in the order in which it happened.

It knows plain values only; it does not know threads or widgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    prefill_per_second: float
    context_used: int
    context_limit: int
    context_trimmed: int
    energy: Reading
    joules_per_token: Reading


@dataclass(frozen=True)
class TurnView:
    """A finished turn as the screen shows it."""

    question: str
    answer: str
    figures: Figures
    stopped: bool
    place: int = 0
    """Which of the turns at its place it is: several were asked or answered there."""
    places: int = 1


@dataclass(frozen=True)
class Shown:
    """The conversation is another one now: this is all of it."""

    turns: tuple[TurnView, ...]
    figures: Figures | None
    title: str
    draft: str | None = None
    """A question that was never answered, because the program ended."""


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
    turn: TurnView | None
    """The turn; None where it is no part of the conversation, being stopped before a token."""
    back: bool = False
    """Whether the turns that were to be replaced are there again."""


@dataclass(frozen=True)
class Moved:
    """The state was put elsewhere; not `done` where there was nothing to go to."""

    kind: Literal["undo", "redo", "branch", "back", "resume", "switch", "reconnect"]
    done: bool
    seconds: float = 0.0
    """How long the device took."""
    fed: int = 0
    """Ids that had to be fed again; 0 where the state was restored."""
    question: str = ""
    """Of the turn that was undone."""


@dataclass(frozen=True)
class Cleared:
    """The conversation is empty."""


@dataclass(frozen=True)
class Lost:
    """The device went away; the engine waits for it."""


@dataclass(frozen=True)
class LetGo:
    """The device is closed; the conversation waits for another one, or for it."""


@dataclass(frozen=True)
class Warned:
    """Something is not as it should be, and the conversation goes on."""

    message: str


@dataclass(frozen=True)
class Failed:
    """Something went wrong; after a fatal failure no model is loaded."""

    message: str
    hint: str | None
    exit_code: int
    fatal: bool = False
    answering: bool = False
    """Whether it ended an answer, whose turn is no part of the conversation."""
    back: bool = False
    """Whether the turns that were to be replaced are there again."""


@dataclass(frozen=True)
class LaneUpdate:
    """How far one side of a comparison is (see edge_sdk.app.comparing)."""

    lane: int
    status: str
    text: str = ""
    """The answer so far."""
    figures: Figures | None = None
    watts: Reading | None = None
    """Mean power over question and answer."""
    board_speed: Reading | None = None
    """What a board says of its own speed, without line and simulation."""
    done: bool = False


Event = (
    Starting
    | Opened
    | Ready
    | Shown
    | Piece
    | Progressed
    | Answered
    | Moved
    | Cleared
    | LetGo
    | Lost
    | Warned
    | Failed
    | LaneUpdate
)
