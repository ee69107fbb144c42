"""Devices, models and sessions without hardware, and an ear for what the engine says.

They know edge_sdk's protocols and the real conversation; nothing here checks anything.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, TypeVar

from edge_sdk.app.backend import Backend, Options
from edge_sdk.app.engine import Engine
from edge_sdk.app.events import Failed, Piece, Shown
from edge_sdk.chat_template import PLAIN
from edge_sdk.errors import DeviceNotFound, OutOfMemory
from edge_sdk.history.store import History
from edge_sdk.sampling import Sampler
from tests.app.fakes import FakeDevice
from tests.fake_session import FakeSession, byte_tokenizer, fake_model, scripted

EventType = TypeVar("EventType")
PATIENCE = 60.0


class Heard:
    """Takes the engine's events, as the screen does."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.text = ""

    def until(self, kind: type[EventType]) -> EventType:
        """The next event of `kind`; text of pieces is collected on the way."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            while self.engine.events:
                event: Any = self.engine.events.popleft()
                if isinstance(event, Piece):
                    self.text += event.text
                if isinstance(event, kind):
                    return event
                assert not isinstance(event, Failed), event
            time.sleep(0.001)
        raise AssertionError(f"no {kind.__name__} came")

    def shown(self) -> list[tuple[str, str]]:
        return [(turn.question, turn.answer) for turn in self.until(Shown).turns]


class World:
    """Devices by URI and models by name; every session remembers all states."""

    def __init__(self, *answers: str) -> None:
        self.answers = answers
        self.sessions: list[FakeSession] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.missing: set[str] = set()
        self.too_large: set[str] = set()
        self.histories: dict[bytes, tuple[int, ...]] = {}
        self.open_history: Any = History

    def open_device(self, uri: str) -> Any:
        if uri in self.missing:
            raise DeviceNotFound(f"no {uri}.", hint="plug it in.")
        self.opened.append(uri)
        device = FakeDevice()
        object.__setattr__(device.info, "uri", uri)
        device.load = self.load  # type: ignore[method-assign]
        device.close = lambda: self.closed.append(uri)  # type: ignore[method-assign]
        return device

    def load(self, model: Any, progress: Any) -> Any:
        if model.name in self.too_large:
            raise OutOfMemory("it does not fit.", hint="choose a smaller one.")
        answers = scripted(*self.answers) if model.name == "fake" else None
        session = FakeSession(model, answers)
        session._histories = self.histories
        self.sessions.append(session)
        return session

    def load_model(self, name: str) -> Any:
        model = (
            fake_model(byte_tokenizer(), PLAIN) if name == "other" else fake_model(byte_tokenizer())
        )
        model.__dict__.update(
            name=name,
            sha256=("1" if name == "other" else "0") * 64,
            config=SimpleNamespace(num_layers=6, hidden_size=4096, parameters=10**6),
            file_size=1000,
            close=lambda: None,
        )
        return model

    @property
    def session(self) -> FakeSession:
        return self.sessions[-1]

    @property
    def feeds(self) -> int:
        return len(self.session.feeds)

    def engine(self, *, resume: bool = False, device: str = "cpu") -> Engine:
        backend = Backend(
            self.open_device,
            self.load_model,
            open_history=lambda: self.open_history(),
        )
        options = Options("fake", device, Sampler(temperature=0.0), 64)
        return Engine(options, backend, resume_last=resume)
