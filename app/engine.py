"""Owns the device, the model and the conversation, all in one thread of its own.

It knows edge_sdk; it does not know widgets. Requests come in through a queue, events go out through
a deque that the screen empties, so the model never waits for the screen.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import edge_sdk
from edge_sdk.app.events import (
    Answered,
    Cleared,
    Event,
    Failed,
    Figures,
    ModelFacts,
    Opened,
    Piece,
    Progressed,
    Ready,
    Starting,
    Undone,
)
from edge_sdk.errors import EdgeError
from edge_sdk.monitor import Monitor

if TYPE_CHECKING:
    from edge_sdk.chat import Chat
    from edge_sdk.device import Device, Session
    from edge_sdk.model_file import Model
    from edge_sdk.sampling import Sampler

FIGURES_SECONDS = 0.25
"""How often the figures are sent while an answer is being written."""


@dataclass(frozen=True)
class Options:
    """What to run, and where."""

    model: str
    device: str
    sampling: Sampler
    max_tokens: int


def _open_device(uri: str) -> Device:
    return edge_sdk.open_device(uri)


def _load_model(name: str) -> Model:
    return edge_sdk.load_model(name)


def _make_chat(session: Session, options: Options, monitor: Monitor) -> Chat:
    return edge_sdk.Chat(
        session,
        sampling=options.sampling,
        max_tokens=options.max_tokens,
        power=monitor.power,
    )


@dataclass(frozen=True)
class Backend:
    """The three doors into edge_sdk; tests put others in."""

    open_device: Callable[[str], Device] = _open_device
    load_model: Callable[[str], Model] = _load_model
    make_chat: Callable[[Session, Options, Monitor], Chat] = _make_chat


@dataclass
class Engine:
    """All methods return at once and are called from the screen's thread."""

    options: Options
    backend: Backend = field(default_factory=Backend)
    events: deque[Event] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._requests: queue.SimpleQueue[Callable[[Chat], None] | None] = queue.SimpleQueue()
        self._cancel = threading.Event()
        self._monitor: Monitor | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to open the device and load the model."""
        self._thread.start()

    def ask(self, text: str) -> None:
        """Answer `text`; the pieces come as events."""
        cancel = self._cancel = threading.Event()
        self._requests.put(lambda chat: self._answer(chat, chat.ask(text, cancel=cancel), cancel))

    def regenerate(self) -> None:
        """Answer the last question anew, from the state before the old answer."""
        cancel = self._cancel = threading.Event()
        self._requests.put(
            lambda chat: self._answer(
                chat, chat.regenerate(cancel=cancel), cancel, chat.turns[-1].assistant
            )
        )

    def stop(self) -> None:
        """End the answer after the token in work; what is written stays."""
        self._cancel.set()

    def undo(self) -> None:
        """Stop, and take the last turn back."""
        self.stop()
        self._requests.put(self._undo)

    def reset(self) -> None:
        """Stop, and begin a new conversation."""
        self.stop()
        self._requests.put(self._reset)

    def close(self, timeout: float = 2.0) -> None:
        """Stop and release the device; waits `timeout` seconds at most for one that hangs."""
        self.stop()
        self._requests.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as error:
            self._fail(error, fatal=True)

    def _serve(self) -> None:
        self._say(Starting(f"opening {self.options.device}"))
        with self.backend.open_device(self.options.device) as device:
            monitor = self._monitor = Monitor(device.telemetry)
            monitor.start()
            try:
                self._say(Opened(device.info, monitor))
                chat = self._load(device, monitor)
                while (request := self._requests.get()) is not None:
                    try:
                        request(chat)
                    except Exception as error:
                        self._fail(error)
            finally:
                monitor.stop()

    def _load(self, device: Device, monitor: Monitor) -> Chat:
        what = f"loading {self.options.model}"
        self._say(Starting(what))
        model = self.backend.load_model(self.options.model)
        session = device.load(
            model, progress=lambda step, done, total: self._say(Starting(step, done, total))
        )
        chat = self.backend.make_chat(session, self.options, monitor)
        shape = model.config
        state_bytes = shape.num_layers * shape.hidden_size * 4
        facts = ModelFacts(model.name, model.file_size, state_bytes, shape.parameters)
        self._say(Ready(facts))
        return chat

    def _answer(
        self,
        chat: Chat,
        pieces: Iterator[str],
        cancel: threading.Event,
        old_answer: str | None = None,
    ) -> None:
        """Send the pieces of one answer, which may stand in for `old_answer`."""
        before, failure = list(chat.turns), None
        try:
            self._pass_on(chat, pieces)
        except Exception as error:
            failure = error
        # Stopped before the first token, or failed, the conversation is what it was.
        # By identity: turns hold arrays, which do not compare to one truth.
        back = [*map(id, chat.turns)] == [*map(id, before)]
        kept, old = not back or old_answer is not None, old_answer if back else None
        if failure is not None:
            self._fail(failure, kept=kept, old_answer=old)
        else:
            self._say(Answered(_figures(chat), cancel.is_set(), kept, old))

    def _pass_on(self, chat: Chat, pieces: Iterator[str]) -> None:
        told = time.monotonic()
        if self._monitor is not None:
            self._monitor.begin()
        try:
            for text in pieces:
                self._say(Piece(text))
                if time.monotonic() - told > FIGURES_SECONDS:
                    told = time.monotonic()
                    self._say(Progressed(_figures(chat)))
        finally:
            if self._monitor is not None:
                self._monitor.end()

    def _undo(self, chat: Chat) -> None:
        done = chat.undo() is not None
        self._say(Undone(done, _figures(chat)))

    def _reset(self, chat: Chat) -> None:
        chat.reset()
        self._say(Cleared())

    def _fail(
        self,
        error: Exception,
        *,
        fatal: bool = False,
        kept: bool = False,
        old_answer: str | None = None,
    ) -> None:
        if not isinstance(error, EdgeError):
            error = _unexpected(error)
        self._say(Failed(error.message, error.hint, error.exit_code, fatal, kept, old_answer))

    def _say(self, event: Event) -> None:
        self.events.append(event)


def _figures(chat: Chat) -> Figures:
    """A copy of the figures, so that the screen never sees them half changed."""
    stats = chat.stats
    return Figures(
        prompt_tokens=stats.prompt_tokens,
        answer_tokens=stats.answer_tokens,
        prefill_seconds=stats.prefill_seconds,
        decode_seconds=stats.decode_seconds,
        first_token_seconds=stats.first_token_seconds,
        tokens_per_second=stats.tokens_per_second,
        context_used=stats.context_used,
        context_limit=stats.context_limit,
        context_trimmed=stats.context_trimmed,
        energy=stats.energy,
        joules_per_token=stats.joules_per_token,
    )


def _unexpected(error: Exception) -> EdgeError:
    """An error that nobody planned: a sentence for the screen, the traceback for the log."""
    # Not sys.stderr, which Textual takes for itself while it runs.
    os.write(2, "".join(traceback.format_exception(error)).encode(errors="replace"))
    return EdgeError(
        f"something unexpected went wrong: {type(error).__name__}: {error}.",
        hint="the log has the details; please report it with them.",
    )
