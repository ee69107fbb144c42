"""The engine with the real conversation on a session without a device."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from edge_sdk.app.engine import Backend, Engine, Options
from edge_sdk.app.events import Answered, Cleared, Failed, Opened, Piece, Ready, Starting, Undone
from edge_sdk.sampling import Sampler
from tests.app.fakes import FakeDevice
from tests.fake_session import FakeSession, scripted

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


def start(session: FakeSession) -> Heard:
    session.model.__dict__.update(
        config=SimpleNamespace(num_layers=6, hidden_size=4096, parameters=10**6), file_size=1000
    )
    device = FakeDevice()
    device.load = lambda model, progress: session  # type: ignore[method-assign, misc]
    backend = Backend(lambda uri: cast(Any, device), lambda name: session.model)
    engine = Engine(Options("fake", "cpu", Sampler(temperature=0.0), 64), backend)
    engine.start()
    return Heard(engine)


def test_a_whole_conversation() -> None:
    session = FakeSession(choose=scripted("first answer", "second answer"))
    heard = start(session)
    assert heard.until(Starting).text == "opening cpu"
    assert heard.until(Opened).info.name == "Example CPU"
    assert heard.until(Ready).model.state_bytes == 96 * 1024
    heard.engine.ask("one")
    answered = heard.until(Answered)
    assert (heard.text, answered.stopped, answered.kept) == ("first answer", False, True)
    assert answered.figures.answer_tokens == len("first answer")
    assert answered.figures.energy.value is not None
    heard.engine.ask("two")
    heard.until(Answered)
    feeds = len(session.feeds)
    heard.engine.undo()
    undone = heard.until(Undone)
    assert undone.done
    assert undone.figures.context_used == answered.figures.context_used
    assert len(session.feeds) == feeds, "undo must not feed anything"
    heard.text = ""
    heard.engine.regenerate()
    heard.until(Answered)
    assert heard.text == "first answer"
    heard.engine.reset()
    heard.until(Cleared)
    heard.engine.undo()
    assert not heard.until(Undone).done
    heard.engine.close()


def test_stopped_before_the_first_token_there_is_no_turn_and_an_old_answer_comes_back() -> None:
    session = FakeSession(choose=scripted("the answer"))
    heard = start(session)
    heard.until(Ready)
    session.on_feed = lambda ids: heard.engine.stop()
    heard.engine.ask("one")
    answered = heard.until(Answered)
    assert (answered.stopped, answered.kept, answered.old_answer) == (True, False, None)
    session.on_feed = None
    heard.engine.ask("two")
    heard.until(Answered)
    session.on_feed = lambda ids: heard.engine.stop()
    heard.engine.regenerate()
    answered = heard.until(Answered)
    assert (answered.stopped, answered.kept, answered.old_answer) == (True, True, "the answer")
    heard.engine.close()


def test_a_question_that_is_refused_is_a_sentence_and_the_engine_goes_on() -> None:
    heard = start(FakeSession(choose=scripted("the answer")))
    heard.until(Ready)
    heard.engine.ask("x" * (1 << 20))
    failed = heard.until(Failed)
    assert (failed.exit_code, failed.fatal, failed.kept) == (2, False, False)
    heard.engine.regenerate()
    assert heard.until(Failed).exit_code == 2
    heard.engine.ask("short")
    heard.until(Answered)
    heard.engine.close()
