"""A corpus of text that would steer a terminal, shown by every screen, reaches none."""

from __future__ import annotations

import asyncio

import pytest

from edge_sdk.app.screens.history import HistoryScreen
from tests.app.conftest import running
from tests.app.fakes import FakeChat
from tests.app.test_screens import seen, shows

CORPUS = [
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]52;c;aGFja2Vk\x07",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1bP1$r0m\x1b\\",
    "\x1b[?1049l\x1b[?25l",
    "\x1b[6n",
    "\x9b31m\x9d0;x\x9c",
    "\x07\x08\x0b\x0c\x0e\x0f\x7f",
    "safe\u202egnp.exe\u2066\u2069\u200e",
    "\ue000\U000e0041\U000e007f",
    "a\rb\r\nc",
    "[@click=app.quit]press[/] [red]x[/] \\[y]",
    "![i](file:///etc/passwd) <img src=x> [l](javascript:alert)",
]
STEERING = {chr(code) for code in (*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0))} | {
    *"\u202e\u2066\u2069\u200e\U000e0041"
}


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_nothing_of_the_corpus_reaches_the_terminal(size: tuple[int, int]) -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat, size=size) as driver:
            for text in CORPUS:
                chat.pieces = [*text, " end of it"]
                driver.prompt.set_text(f"q {text}")
                await driver.press("enter")
                await driver.until(lambda: driver.prompt.accepts)
                assert not STEERING & set(seen(driver)), text
            picture = driver.app.export_screenshot()
            assert not STEERING & set(picture)
            await driver.press("ctrl+o", *"end")
            await shows(driver, HistoryScreen)
            await driver.pilot.pause(0.2)
            assert not STEERING & set(seen(driver))
            assert "end" in seen(driver)

    asyncio.run(scenario())
