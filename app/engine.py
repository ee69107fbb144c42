"""Takes the requests of the screen and passes them to the thread that owns device and model.

It knows queues and threads; it does not know widgets, nor how a request is met (worker.py).
Requests go in through a queue and events come out through a deque that the screen empties, so the
model never waits for the screen.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge_sdk.app.archive import Archive
from edge_sdk.app.backend import Backend, Options
from edge_sdk.app.comparing import Comparison
from edge_sdk.app.events import Event
from edge_sdk.app.worker import Worker

if TYPE_CHECKING:
    from edge_sdk.history.store import History

RETRY_SECONDS = 1.0
"""How often a device that went away is looked for."""

Request = Callable[[Worker, threading.Event], None]


class Engine:
    """All methods return at once and are called from the screen's thread.

    Each of them but `stop` stops what is being done, which stays as far as it came.
    """

    def __init__(
        self, options: Options, backend: Backend | None = None, *, resume_last: bool = False
    ) -> None:
        """resume_last: go on with the conversation that was used last."""
        self.backend = Backend() if backend is None else backend
        self.events: deque[Event] = deque()
        """What happened; the screen empties it."""
        self._resume_last = resume_last
        self._requests: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._cancel = threading.Event()
        self._worker = Worker(options, self.backend, self.events.append)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def options(self) -> Options:
        """What runs now."""
        return self._worker.options

    @property
    def archive(self) -> Archive:
        """The conversation with its branches; read it only while nothing is being done."""
        return self._worker.archive

    @property
    def history(self) -> History | None:
        """The history file; None where it cannot be used."""
        return self.archive.history

    def start(self) -> None:
        """Begin to open the device and load the model."""
        self._request(lambda worker, cancel: worker.start(cancel, resume=self._resume_last))
        self._thread.start()

    def ask(self, text: str) -> None:
        """Answer `text`; the pieces come as events."""
        self._request(lambda worker, cancel: worker.ask(text, cancel))

    def edit(self, index: int, text: str) -> None:
        """Answer `text` in place of turn `index`; what was there stays as a branch."""
        self._request(lambda worker, cancel: worker.edit(index, text, cancel))

    def regenerate(self, index: int) -> None:
        """Answer the question of turn `index` anew, from the state before the old answer."""
        self._request(lambda worker, cancel: worker.edit(index, None, cancel))

    def continue_answer(self, index: int, text: str | None) -> None:
        """Go on writing the answer of turn `index`; `text` stands in for what there is of it."""
        self._request(lambda worker, cancel: worker.continue_answer(index, text, cancel))

    def stop(self) -> None:
        """End what is being done after the token in work; what is written stays."""
        self._cancel.set()

    def undo(self) -> None:
        """Go back to before the last turn."""
        self._request(lambda worker, cancel: worker.undo(cancel))

    def redo(self) -> None:
        """Bring the turn back that was undone last."""
        self._request(lambda worker, cancel: worker.redo(cancel))

    def go_back(self, index: int) -> None:
        """Go on after turn `index`; the later ones stay as a branch."""
        self._request(lambda worker, cancel: worker.go_back(index, cancel))

    def branch(self, index: int, step: int) -> None:
        """Show the branch `step` places beside turn `index`."""
        self._request(lambda worker, cancel: worker.branch(index, step, cancel))

    def reset(self) -> None:
        """Begin a new conversation."""
        self._request(lambda worker, cancel: worker.reset(cancel))

    def open(self, key: int) -> None:
        """Go on with a conversation of the history."""
        self._request(lambda worker, cancel: worker.open(key, cancel))

    def switch(self, device: str, model: str) -> None:
        """Move the conversation to another device or model."""
        self._request(lambda worker, cancel: worker.switch(device, model, cancel))

    def let_go(self) -> None:
        """Close the device, so that something else can be done with it; `switch` goes on."""
        self._request(lambda worker, cancel: worker.let_go(cancel))

    def configure(self, options: Options) -> None:
        """Take other settings for the answers to come; device and model stay."""
        self._request(lambda worker, cancel: worker.configure(options, cancel))

    def compare(self, comparison: Comparison) -> None:
        """Answer one question on several devices, one after the other."""
        self._request(lambda worker, cancel: worker.compare(comparison, cancel))

    def close(self, timeout: float = 2.0) -> None:
        """Stop and release the device; waits `timeout` seconds at most for one that hangs."""
        self.stop()
        self._requests.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _request(self, request: Request) -> None:
        self.stop()
        cancel = self._cancel = threading.Event()
        self._requests.put(lambda: request(self._worker, cancel))

    def _run(self) -> None:
        worker = self._worker
        try:
            while (request := self._next()) is not None:
                worker.attempt(request)
        finally:
            worker.close()

    def _next(self) -> Callable[[], None] | None:
        """The next request; meanwhile a device that went away is looked for."""
        while self._worker.lost:
            try:
                return self._requests.get(timeout=RETRY_SECONDS)
            except queue.Empty:
                self._worker.reconnect()
        return self._requests.get()
