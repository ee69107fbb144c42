"""Answers one question on several devices, one after the other, and tells what each of them took.

It knows how a fair comparison goes; it does not know how it is shown. One after the other, because
devices that share a machine would slow each other down and share the power that is measured.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from edge_sdk.app.backend import Backend, Options
from edge_sdk.app.events import Event, LaneUpdate
from edge_sdk.app.mistakes import unexpected
from edge_sdk.app.stage import Stage, open_stage
from edge_sdk.app.views import figures_of
from edge_sdk.chat import Chat
from edge_sdk.errors import EdgeError
from edge_sdk.sampling import Sampler
from edge_sdk.telemetry import Provenance, Reading

IDLE_SECONDS = 1.5
"""How long a device that reports power rests first, so that its power at rest is known."""

UPDATE_SECONDS = 0.1


@dataclass(frozen=True)
class Comparison:
    """What to ask, and where."""

    question: str
    devices: tuple[str, ...]
    max_tokens: int


def compare(
    comparison: Comparison,
    options: Options,
    backend: Backend,
    stage: Stage | None,
    cancel: threading.Event,
    say: Callable[[Event], None],
) -> None:
    """Run all lanes; what goes wrong in one is told in it, and the others go on.

    Answers are greedy, and the model is not told the readings, which differ between devices: so
    devices that compute the same say the same. stage: what runs now; its device is used where it
    is one of those compared, and its conversation is left as it is.
    """
    greedy = replace(
        options,
        sampling=Sampler(temperature=0.0),
        max_tokens=comparison.max_tokens,
        status=False,
    )
    for lane, uri in enumerate(comparison.devices):
        if cancel.is_set():
            say(LaneUpdate(lane, "stopped", done=True))
            continue
        try:
            with _chat(replace(greedy, device=uri), backend, stage, lane, say) as running:
                _answer(running, comparison.question, lane, cancel, say)
        except Exception as failure:
            error = failure if isinstance(failure, EdgeError) else unexpected(failure)
            hint = f" {error.hint}" if error.hint else ""
            say(LaneUpdate(lane, f"{error.message}{hint}", done=True))


@contextmanager
def _chat(
    options: Options,
    backend: Backend,
    stage: Stage | None,
    lane: int,
    say: Callable[[Event], None],
) -> Iterator[Stage]:
    """A new conversation on the device; the present one is untouched."""
    with ExitStack() as stack:
        if stage is not None and options.device in (stage.options.device, stage.device.info.uri):
            # A board holds one model and one state: borrow it, and put the state back.
            stack.callback(stage.session.restore, stage.session.snapshot())
            chat = backend.make_chat(stage.session, options, stage.monitor)
            yield replace(stage, chat=chat)
            return
        say(LaneUpdate(lane, "opening"))
        own = open_stage(backend, options, lambda event: None)
        stack.callback(own.close)
        yield own


def _answer(
    stage: Stage,
    question: str,
    lane: int,
    cancel: threading.Event,
    say: Callable[[Event], None],
) -> None:
    if stage.monitor.power().available:
        say(LaneUpdate(lane, "measuring power at rest"))
        cancel.wait(IDLE_SECONDS)
    chat, text, told = stage.chat, "", 0.0
    say(LaneUpdate(lane, "reading"))
    stage.monitor.begin()
    began = time.perf_counter()
    try:
        for piece in chat.ask(question, cancel=cancel):
            text += piece
            if time.perf_counter() - told >= UPDATE_SECONDS:
                told = time.perf_counter()
                say(LaneUpdate(lane, "answering", text, figures_of(chat.stats)))
    finally:
        seconds = time.perf_counter() - began
        stage.monitor.end()
    status = "stopped" if cancel.is_set() else "done"
    if stage.device.info.kind == "simulator":
        status += "; simulated here, so the seconds are this machine's"
    say(
        LaneUpdate(
            lane,
            status,
            text,
            figures_of(chat.stats),
            _mean_power(chat, seconds),
            stage.monitor.sample().readings.get("board_speed"),
            done=True,
        )
    )


def _mean_power(chat: Chat, seconds: float) -> Reading:
    energy = chat.stats.energy
    if energy.value is None or seconds <= 0:
        return replace(energy, unit="W")
    provenance = max(Provenance.DERIVED, energy.provenance, key=list(Provenance).index)
    return Reading(energy.value / seconds, "W", provenance, energy.source, period=seconds)
