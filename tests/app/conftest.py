"""Runs the app without a terminal; it knows how long to wait for another thread, and no test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from edge_sdk.app.chat_app import EdgeChatApp
from edge_sdk.app.screens.chat import ChatScreen
from edge_sdk.app.widgets.prompt import Prompt
from edge_sdk.app.widgets.transcript import Transcript
from tests.app.fakes import FakeChat, FakeDevice, engine

PATIENCE = 20.0
"""Seconds until a condition that never comes true fails a test; no test measures time."""


class Driver:
    """What a person does and sees."""

    def __init__(self, app: EdgeChatApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> ChatScreen:
        return self.app.chat

    @property
    def prompt(self) -> Prompt:
        return self.screen.query_one(Prompt)

    @property
    def transcript(self) -> Transcript:
        return self.screen.query_one(Transcript)

    @property
    def answers(self) -> list[str]:
        return [turn.answer for turn in self.transcript.turns]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self.pilot.pause(0.01)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def ask(self, text: str, *, finish: bool = True) -> None:
        turns = len(self.transcript.turns)
        await self.press(*text, "enter")
        await self.until(lambda: len(self.transcript.turns) > turns)
        if finish:
            await self.until(lambda: self.prompt.accepts)

    def text_of(self, selector: str) -> str:
        return str(self.screen.query_one(selector).render())

    def seen(self) -> str:
        """Everything on the screen, row by row."""
        rows = self.screen._compositor.render_strips()
        return "\n".join(row.text for row in rows)


@asynccontextmanager
async def running(
    chat: FakeChat | None = None,
    device: FakeDevice | None = None,
    size: tuple[int, int] = (120, 40),
) -> AsyncIterator[Driver]:
    """The app, ready for a question."""
    app = EdgeChatApp(engine(chat, device))
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.until(lambda: driver.prompt.accepts)
        yield driver


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No test touches the user's files or looks."""
    monkeypatch.setenv("EDGE_SDK_HOME", str(tmp_path))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield tmp_path
