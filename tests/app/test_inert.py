"""What a model, a file or a device says is shown and never obeyed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from textual.widgets import Markdown

from tests.app.conftest import running
from tests.app.fakes import FakeChat, FakeDevice

HOSTILE = [
    "\x1b[2J\x1b]52;c;aGk=\x07",
    "[bold]markup[/bold] [@click=app.quit]x[/] ",
    "<script>tag</script> \u202etxet ",
    "[link](https://example.org/) \x9b31m",
]


def test_hostile_answers_are_inert() -> None:
    async def scenario() -> None:
        async with running(FakeChat(pieces=HOSTILE)) as driver:
            await driver.ask("[red]q[/red]")
            seen = driver.seen()
            assert "[red]q[/red]" in seen
            assert "[bold]markup[/bold]" in seen
            assert "<script>tag</script>" in seen
            assert not set(seen) & set("\x1b\x07\x9b\u202e")
            picture = driver.app.export_screenshot()
            assert not set(picture) & set("\x1b\x07\x9b\u202e")
            opened: list[str] = []
            driver.app.open_url = lambda url, *, new_tab=True: opened.append(url)  # type: ignore[method-assign]
            markdown = driver.screen.query_one(Markdown)
            markdown.post_message(Markdown.LinkClicked(markdown, "https://example.org/"))
            await driver.pilot.pause()
            assert opened == []

    asyncio.run(scenario())


def test_a_device_with_a_hostile_name() -> None:
    async def scenario() -> None:
        device = FakeDevice()
        object.__setattr__(device.info, "name", "Evil\x1b[31m\n[b]CPU[/b]")
        async with running(device=device) as driver:
            await driver.until(lambda: "Evil[31m [b]CPU[/b]" in driver.seen())

    asyncio.run(scenario())


def test_pasted_control_characters_do_not_reach_the_prompt() -> None:
    from textual.events import Paste

    async def scenario() -> None:
        async with running() as driver:
            driver.prompt.post_message(Paste("a\x1b[31mb\r\nc"))
            await driver.until(lambda: driver.prompt.text)
            assert driver.prompt.text == "a[31mb\nc"

    asyncio.run(scenario())


def test_export_and_picture_are_files_in_the_state_folder(own_home: Path) -> None:
    async def scenario() -> None:
        async with running(FakeChat(pieces=["An *answer*."])) as driver:
            await driver.ask("q")
            driver.app.action_export()
            driver.app.action_export_json()
            driver.app.action_save_picture()
            driver.screen.with_selected("copy")
            await driver.until(lambda: driver.app.clipboard)
        assert driver.app.clipboard == "An *answer*."

    asyncio.run(scenario())
    (text,) = own_home.glob("state/conversations/*.md")
    assert text.read_text("utf-8").startswith("# q\n\n> q\n\nAn *answer*.\n\n*tern on cpu · ")
    (data,) = own_home.glob("state/conversations/*.json")
    assert json.loads(data.read_text("utf-8"))["messages"][1]["content"] == "An *answer*."
    (picture,) = own_home.glob("state/pictures/*.svg")
    assert picture.read_text("utf-8").startswith("<svg")


def test_the_palette_offers_what_makes_sense() -> None:
    async def scenario() -> None:
        async with running() as driver:
            titles = {command.title for command in driver.app.get_system_commands(driver.screen)}
            assert {"Undo the last turn", "Answer again", "New conversation", "Meters"} <= titles
            assert {"Export as JSON", "Copy the answer", "Save picture", "Theme"} <= titles
            assert {"Keys", "Quit", "Device", "Model", "History", "Compare"} <= titles
            assert "Stop" not in titles

    asyncio.run(scenario())
