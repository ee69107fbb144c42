"""What compared devices are asked."""

from __future__ import annotations

from typing import Any

import pytest

from edge_sdk.app.backend import Options
from edge_sdk.app.comparing import Comparison
from edge_sdk.app.events import Answered, LaneUpdate, Ready
from edge_sdk.chat import Chat
from edge_sdk.device import Session
from edge_sdk.sampling import Sampler
from tests.app.world import Heard, World

LINE = "[power 1.0 W]"


def test_compared_devices_read_the_question_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their readings differ, so a model that is told them would answer different questions."""

    def make(session: Session, *, status: bool | None, **kept: Any) -> Chat:
        return Chat(session, status=(lambda speed: LINE) if status else False, **kept)

    def read() -> str:
        return world.session.model.tokenizer.decode(world.session.history)

    monkeypatch.setattr("edge_sdk.app.comparing.IDLE_SECONDS", 0.0)
    monkeypatch.setattr("edge_sdk.Chat", make)
    world = World("first answer")
    heard = Heard(world.engine())
    heard.engine.start()
    heard.until(Ready)
    heard.engine.configure(Options("x", "x", Sampler(temperature=0.0), 40, status=True))
    heard.engine.reset()
    heard.engine.ask("one")
    heard.until(Answered)
    assert LINE in read()

    heard.engine.compare(Comparison("what?", ("cuda:0",), 40))
    while not heard.until(LaneUpdate).done:
        pass
    assert len(world.sessions) == 2
    assert "what?" in read()
    assert LINE not in read()
    heard.engine.close()
