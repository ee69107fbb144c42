"""Meets the requests of the screen: opens devices, answers, goes to branches, keeps the history.

It knows edge_sdk and the order of things; it does not know threads or widgets. What happens is told
as events. All of it runs on one thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_sdk.app.archive import Archive
from edge_sdk.app.backend import Backend, Options
from edge_sdk.app.comparing import Comparison, compare
from edge_sdk.app.events import (
    Answered,
    Cleared,
    Event,
    Failed,
    LetGo,
    Lost,
    Moved,
    Opened,
    Piece,
    Progressed,
    Ready,
    Starting,
    Warned,
)
from edge_sdk.app.mistakes import unexpected
from edge_sdk.app.stage import Stage, open_stage
from edge_sdk.app.views import facts_of, figures_of, shown, view_of
from edge_sdk.device import Cancelled
from edge_sdk.errors import DeviceDisconnected, EdgeError, UsageError
from edge_sdk.history.tree import Node, newest_end

if TYPE_CHECKING:
    from edge_sdk.chat import Chat

FIGURES_SECONDS = 0.25
"""How often the figures are sent while an answer is being written."""

Cancel = threading.Event


class Worker:
    """Every method but `attempt` and `reconnect` may raise EdgeError or Cancelled.

    `cancel` is the flag of one request; the screen sets it to end what is being done.
    """

    def __init__(self, options: Options, backend: Backend, say: Callable[[Event], None]) -> None:
        self.options = options
        """What runs, or is to run."""
        self._backend = backend
        self._say = say
        self._stage: Stage | None = None
        self.lost = False
        """Whether the device went away and is being looked for."""
        self.archive = Archive(lambda text: say(Warned(text)))

    def attempt(self, request: Callable[[], None]) -> None:
        """Do it, and tell what went wrong; never raises."""
        try:
            request()
        except Cancelled:
            self._say(Warned("Cancelled; everything is as it was before."))
        except Exception as error:
            self._fail(error)

    def start(self, cancel: Cancel, *, resume: bool) -> None:
        """Open what the options name; resume: go on with the conversation that was used last."""
        self.archive.open(self._backend.open_history)
        self._begin(self.options, cancel)
        newest = self.archive.newest() if resume else None
        if newest is not None:
            self.open(newest, cancel)

    def reconnect(self) -> None:
        """Look for the device that went away; quiet while it is not there."""
        say, told = self._say, list[Event]()
        self._say = told.append
        try:
            self._begin(self.options, threading.Event())
        except EdgeError:
            return
        finally:
            self._say = say
        for event in told:
            say(event)

    def ask(self, text: str, cancel: Cancel) -> None:
        """Answer a question."""
        self._answer(text, lambda chat: chat.ask(text, cancel=cancel), cancel, replaces=False)

    def edit(self, index: int, text: str | None, cancel: Cancel) -> None:
        """Answer `text`, or the same question, in place of turn `index`."""

        def start(chat: Chat) -> Iterator[str]:
            question = self._node(index).turn.user if text is None else text
            return chat.edit(index, question, cancel=cancel)

        self._answer(text, start, cancel, replaces=True)

    def continue_answer(self, index: int, text: str | None, cancel: Cancel) -> None:
        """Go on writing the answer of turn `index`."""
        self._answer(
            None,
            lambda chat: chat.continue_answer(text, index=index, cancel=cancel),
            cancel,
            replaces=True,
        )

    def undo(self, cancel: Cancel) -> None:
        """Go back to before the last turn."""
        path = self.archive.path
        if not path:
            self._say(Moved("undo", False))
            return
        seconds, fed = self._move(path[-1].parent, cancel)
        self._say(Progressed(figures_of(self._current(cancel).chat.stats)))
        self._say(Moved("undo", True, seconds, fed, path[-1].turn.user))

    def redo(self, cancel: Cancel) -> None:
        """Bring the turn back that was undone last."""
        following = self.archive.tree.redo()
        if following is None:
            self._say(Moved("redo", False))
            return
        seconds, fed = self._move(following, cancel)
        self._show()
        self._say(Moved("redo", True, seconds, fed))

    def go_back(self, index: int, cancel: Cancel) -> None:
        """Go on after turn `index`."""
        seconds, fed = self._move(self._node(index), cancel)
        self._show()
        self._say(Moved("back", True, seconds, fed))

    def branch(self, index: int, step: int, cancel: Cancel) -> None:
        """Go to the end of the branch `step` places beside turn `index`."""
        other = self.archive.tree.neighbour(self._node(index), step)
        if other is None:
            self._say(Moved("branch", False))
            return
        seconds, fed = self._move(newest_end(other), cancel)
        self._show()
        self._say(Moved("branch", True, seconds, fed))

    def reset(self, cancel: Cancel) -> None:
        """Begin a new conversation."""
        self._current(cancel).chat.reset()
        self.archive.begin()
        self._say(Cleared())

    def open(self, key: int, cancel: Cancel) -> None:
        """Go on with a conversation of the history."""
        saved = self.archive.load(key)
        before = self.archive.place
        self.archive.take(key, saved.tree, saved.title)
        try:
            seconds, fed = self._move(saved.tree.head, cancel)
        except BaseException:
            self.archive.take(*before)
            raise
        self._show(saved.draft)
        self._say(Moved("resume", True, seconds, fed))

    def switch(self, device: str, model: str, cancel: Cancel) -> None:
        """Move the conversation to another device or model."""
        options = replace(self.options, device=device, model=model)
        if self._stage is None or self.lost or options != self._stage.options:
            self._begin(options, cancel)

    def let_go(self, cancel: Cancel) -> None:
        """Close the device, so that something else can be done with it; `switch` goes on."""
        self.lost = False
        self._drop_stage()
        self._say(LetGo())

    def configure(self, options: Options, cancel: Cancel) -> None:
        """Take other settings; the system text is that of the next conversation."""
        stage = self._stage
        self.options = replace(options, device=self.options.device, model=self.options.model)
        if stage is not None and not self.lost:
            turns = list(stage.chat.turns)
            stage.chat = self._backend.make_chat(stage.session, self.options, stage.monitor)
            stage.chat.resume(turns, cancel=cancel)
            stage.options = self.options

    def compare(self, comparison: Comparison, cancel: Cancel) -> None:
        """Answer one question on several devices."""
        compare(comparison, self.options, self._backend, self._stage, cancel, self._say)

    def close(self) -> None:
        """Let go of everything."""
        self._drop_stage()
        self.archive.close()

    def _current(self, cancel: Cancel) -> Stage:
        """What runs; a device that went away is opened again first."""
        if self.lost:
            self._begin(self.options, cancel)
        if self._stage is None:
            raise UsageError("no model is loaded.", hint="choose a device or a model that works.")
        return self._stage

    def _node(self, index: int) -> Node:
        path = self.archive.path
        if not 0 <= index < len(path):
            raise UsageError("there is no such turn any more.", hint="choose one that is shown.")
        return path[index]

    def _begin(self, options: Options, cancel: Cancel) -> None:
        """Open a stage for the present conversation, in place of the one that there is."""
        lost = self.lost
        if lost:
            # A port that went away must be let go before it can be opened again.
            self._drop_stage()
        old = self._stage
        on = old if old is not None and options.device == old.options.device else None
        stage = open_stage(self._backend, options, self._say, on)
        try:
            began = time.perf_counter()
            fed = self._resume(stage, self.archive.tree.head, cancel)
            seconds = time.perf_counter() - began
        except BaseException:
            stage.close(keep_device=on is not None)
            if old is not None:
                self._say(Opened(old.device.info, old.monitor))
                self._say(Ready(facts_of(old.model)))
            raise
        if old is not None:
            old.close(keep_device=on is not None)
        if options.device == "auto":
            # What it meant: another choice, or a device that comes back, is measured against that.
            options = replace(options, device=stage.device.info.uri)
            stage.options = options
        self._stage, self.options, self.lost = stage, options, False
        self._say(Ready(facts_of(stage.model)))
        if lost:
            self._say(Moved("reconnect", True, seconds, fed))
        elif self.archive.tree.head is not None:
            self._say(Moved("switch", True, seconds, fed))

    def _drop_stage(self) -> None:
        stage, self._stage = self._stage, None
        try:
            if stage is not None:
                stage.close()
        except Exception as error:
            # It is gone already; what it says on closing is for the log.
            unexpected(error)

    def _move(self, head: Node | None, cancel: Cancel) -> tuple[float, int]:
        """Go on after `head`; how long that took, and how many ids were fed."""
        stage = self._current(cancel)
        began = time.perf_counter()
        fed = self._resume(stage, head, cancel)
        return time.perf_counter() - began, fed

    def _resume(self, stage: Stage, head: Node | None, cancel: Cancel) -> int:
        fed = stage.chat.resume(
            self.archive.turns(stage.model.sha256, head),
            cancel=cancel,
            progress=lambda step, done, total: self._say(Starting(step, done, total)),
        )
        self.archive.moved(head, stage.chat.turns, stage.model.sha256, fed)
        return fed

    def _answer(
        self,
        question: str | None,
        start: Callable[[Chat], Iterator[str]],
        cancel: Cancel,
        *,
        replaces: bool,
    ) -> None:
        """Send the pieces of one answer; replaces: the screen took turns off for it."""
        failure, node = None, None
        try:
            stage = self._current(cancel)
            pieces = start(stage.chat)
            if question is not None:
                self.archive.asked(question)
            self._pass_on(stage, pieces)
        except Exception as error:
            failure = error
        if self._stage is not None:
            stage = self._stage
            node = self.archive.settled(stage.chat.turns, stage.model.name, stage.device.info.uri)
        back = replaces and node is None
        if back:
            self._show()
        if failure is not None or self._stage is None:
            gone = EdgeError("no model is loaded.", hint="choose a device or a model that works.")
            self._fail(failure or gone, answering=True, back=back)
            return
        view = view_of(self.archive.tree, node) if node is not None else None
        self._say(Answered(figures_of(self._stage.chat.stats), cancel.is_set(), view, back))

    def _pass_on(self, stage: Stage, pieces: Iterator[str]) -> None:
        told = time.monotonic()
        stage.monitor.begin()
        try:
            for text in pieces:
                self._say(Piece(text))
                if time.monotonic() - told > FIGURES_SECONDS:
                    told = time.monotonic()
                    self._say(Progressed(figures_of(stage.chat.stats)))
        finally:
            stage.monitor.end()

    def _show(self, draft: str | None = None) -> None:
        stats = self._stage.chat.stats if self._stage is not None else None
        self._say(shown(self.archive.tree, self.archive.title, stats, draft))

    def _fail(self, error: Exception, *, answering: bool = False, back: bool = False) -> None:
        if isinstance(error, DeviceDisconnected) and self._stage is not None:
            self.lost = True
        if not isinstance(error, EdgeError):
            error = unexpected(error)
        fatal = self._stage is None and not self.lost
        self._say(Failed(error.message, error.hint, error.exit_code, fatal, answering, back))
        if self.lost:
            self._say(Lost())
