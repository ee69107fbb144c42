"""The program that is measured: the app itself, with a model that is paced and never ends.

    python -m edge_sdk.app.bench.program chat|alone|fill OPTIONS (JSON)

The model computes every token. A pace makes it wait between two of them, as a slower device would;
the tokens that end an answer are taken from its candidates, so that answers have the length asked
for. `alone` writes one answer without the app; `fill` writes a conversation into the history.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import edge_sdk
from edge_sdk.app.archive import Archive
from edge_sdk.app.backend import Backend, Options
from edge_sdk.device import Candidates
from edge_sdk.sampling import Sampler
from edge_sdk.telemetry import Telemetry

if TYPE_CHECKING:
    from edge_sdk.device import Device, Session

QUESTION = "Tell me a story."
CATCH_UP = 0.1
"""Seconds that a paced model which was held up may make good."""


@dataclass(frozen=True)
class Run:
    """What is asked of the program."""

    model: str
    device: str
    tokens: int
    """Length of every answer."""
    rate: float = 0.0
    """Tokens a second at most; 0 does not wait."""
    turns: int = 1
    """`fill`: how many."""
    resume: bool = False
    meters: str = "panel"
    """As the app's setting of that name."""
    report: str = ""
    """A file that gets a line for each answer: when its first and its last token were computed."""


class PacedSession:
    """A session whose answers do not end, and take the time that the pace says."""

    def __init__(self, inner: Session, run: Run) -> None:
        self._inner, self._run = inner, run
        self._due = self._first = self._last = 0.0
        self._tokens = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def feed(self, ids: Sequence[int], **details: Any) -> Candidates:
        """The inner session's candidates, without those that end an answer."""
        import numpy as np

        run = self._run
        if run.rate and len(ids) == 1:
            self._due = max(self._due + 1 / run.rate, time.monotonic() - CATCH_UP)
            time.sleep(max(self._due - time.monotonic(), 0.0))
        found = self._inner.feed(ids, **details)
        kept = ~np.isin(found.ids, self._inner.model.stop_ids)
        self._note(len(ids))
        return Candidates(found.ids[kept], found.logits[kept])

    def _note(self, fed: int) -> None:
        """Tell the report when an answer's tokens came; its prompt is fed at once."""
        now = time.monotonic()
        if fed > 1:
            self._first = self._due = now
            self._tokens = 0
        self._tokens += 1
        if self._run.report and self._tokens == self._run.tokens:
            with Path(self._run.report).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"first": self._first, "last": now}) + "\n")


class PacedDevice:
    """A device whose sessions are paced."""

    def __init__(self, inner: Device, run: Run) -> None:
        self._inner, self._run = inner, run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def load(self, *what: Any, **how: Any) -> Any:
        """The inner device's session, paced."""
        return PacedSession(self._inner.load(*what, **how), self._run)

    def telemetry(self) -> Telemetry:
        """The inner device's readings; none where the meters are off, so that they cost nothing."""
        return Telemetry({}) if self._run.meters == "off" else self._inner.telemetry()


def _open_device(run: Run) -> Device:
    return cast("Device", PacedDevice(edge_sdk.open_device(run.device), run))


def backend(run: Run) -> Backend:
    """The app's own doors, but for the session."""
    return replace(Backend(), open_device=lambda uri: _open_device(replace(run, device=uri)))


def options(run: Run) -> Options:
    """Greedy answers repeat themselves; these are drawn, from one seed."""
    return Options(run.model, run.device, Sampler(seed=1), run.tokens)


def chat(run: Run) -> int:
    """The app in this terminal."""
    from edge_sdk.app import chat_app
    from edge_sdk.app.engine import Engine
    from edge_sdk.app.settings import Settings

    engine = Engine(options(run), backend(run), resume_last=run.resume)
    return chat_app.run(engine, Settings(meters=run.meters))


def alone(run: Run) -> int:
    """One answer as the app asks for it, with nothing that shows it: seconds and tokens."""
    with ExitStack() as stack:
        device = _open_device(run)
        stack.callback(device.close)
        session = device.load(edge_sdk.load_model(run.model))
        talk = edge_sdk.Chat(session, sampling=Sampler(seed=1), max_tokens=run.tokens)
        for _ in talk.ask(QUESTION, max_tokens=64):
            pass
        talk.reset()
        for _ in talk.ask(QUESTION):
            pass
        print(json.dumps({"tokens_per_second": talk.stats.tokens_per_second}))
    return 0


def fill(run: Run) -> int:
    """Write a conversation of `turns` answers into the history; prints the tokens it has."""
    doors, chosen = backend(run), options(run)
    tokens = 0
    with ExitStack() as stack:
        device = doors.open_device(run.device)
        stack.callback(device.close)
        model = doors.load_model(run.model)
        talk = edge_sdk.Chat(device.load(model), sampling=chosen.sampling, max_tokens=run.tokens)
        archive = Archive(lambda text: print(text, file=sys.stderr))
        archive.open(doors.open_history)
        for _ in range(run.turns):
            archive.asked(QUESTION)
            for _ in talk.ask(QUESTION):
                pass
            archive.settled(talk.turns, model.name, device.info.uri)
            tokens += talk.stats.prompt_tokens + talk.stats.answer_tokens
        archive.close()
    print(json.dumps({"tokens": tokens}))
    return 0


if __name__ == "__main__":
    what = {"chat": chat, "alone": alone, "fill": fill}[sys.argv[1]]
    sys.exit(what(Run(**json.loads(sys.argv[2]))))
