"""The screen as a picture, compared character by character with the one that was looked at.

`UPDATE_SNAPSHOTS=1 python -m pytest tests/app/test_snapshots.py` writes the pictures anew; open
them in a browser before committing.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest
from textual.widgets import Input, OptionList, Select, TextArea

from edge_sdk.app.screens.compare import CompareScreen
from edge_sdk.telemetry import Provenance, Reading
from tests.app.conftest import Driver, running
from tests.app.fakes import NO_POWER, FakeChat, FakeDevice
from tests.app.test_flash import FakeFlasher, opened
from tests.app.test_screens import doors, seen

SNAPSHOTS = Path(__file__).parent / "snapshots"
PIECES = [
    "Terns are **slender** sea birds with long wings.\n\n",
    "- They fly from the Arctic to the Antarctic.\n- They eat small fish.\n\n",
    "```python\nprint('tern')\n```\n",
]


async def compare(name: str, driver: Driver) -> None:
    """Fail where the screen differs from the kept picture in more than its generated ids."""
    for screen in driver.app.screen_stack:
        for field in (*screen.query(Input), *screen.query(TextArea)):
            # Held still, and visible: it may have been in the dark half of its blinking.
            field.cursor_blink = False
            field._pause_blink(visible=True)
    await driver.pilot.pause(0.2)
    svg = re.sub(r"terminal-\d+", "terminal", driver.app.export_screenshot())
    kept = SNAPSHOTS / f"{name}.svg"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(svg, "utf-8")
    assert kept.read_text("utf-8") == svg, f"{name} looks different; see the module's docstring"


async def settle(driver: Driver, watts: list[float]) -> None:
    """Hold still what changes with time: the power history."""
    await driver.until(lambda: driver.screen.facts.telemetry.readings)
    driver.screen._monitor = None
    driver.screen.facts.watts = watts
    driver.screen.facts.idle = None
    driver.screen.show_facts()
    await driver.pilot.pause(0.2)


def no_sensor() -> tuple[FakeChat, FakeDevice]:
    reason, remedy = NO_POWER.reason or "", NO_POWER.remedy or ""
    energy = Reading.unavailable("J", NO_POWER.source, reason, remedy)
    return FakeChat(PIECES, energy=energy), FakeDevice(NO_POWER)


def test_wide_with_a_sensor() -> None:
    async def scenario() -> None:
        async with running(FakeChat(PIECES), size=(120, 40)) as driver:
            await driver.ask("What is a tern?")
            await settle(driver, [11.0, 12.0, 14.5, 18.0, 17.5, 18.2, 17.9, 13.0, 12.3])
            await compare("wide", driver)

    asyncio.run(scenario())


@pytest.mark.parametrize("panel", [False, True])
def test_narrow_without_a_sensor(panel: bool) -> None:
    async def scenario() -> None:
        async with running(*no_sensor(), size=(80, 24)) as driver:
            await driver.ask("What is a tern?")
            if panel:
                await driver.press("f2", "tab")
            await settle(driver, [])
            await compare("narrow-panel" if panel else "narrow", driver)

    asyncio.run(scenario())


SIZES = {"wide": (120, 40), "narrow": (80, 24)}


@pytest.mark.parametrize("size", SIZES)
def test_history(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda form, *moment: "2026-01-31 12:00")

    async def scenario() -> None:
        async with running(FakeChat(PIECES), size=SIZES[size]) as driver:
            await driver.ask("What is a tern?")
            await settle(driver, [12.0, 12.1, 12.0])
            await driver.press("ctrl+o", *"arc")
            screen = driver.app.screen
            await driver.until(lambda: screen.query_one(OptionList).option_count == 1)
            await compare(f"history-{size}", driver)

    asyncio.run(scenario())


@pytest.mark.parametrize("size", SIZES)
def test_device_picker(size: str) -> None:
    async def scenario() -> None:
        async with running(FakeChat(PIECES), size=SIZES[size]) as driver:
            doors(driver)
            await driver.ask("What is a tern?")
            await settle(driver, [12.0, 12.1, 12.0])
            await driver.press("f3")
            screen = driver.app.screen
            await driver.until(lambda: screen.query_one(OptionList).option_count == 3)
            await driver.press("down", "down")
            await compare(f"devices-{size}", driver)

    asyncio.run(scenario())


@pytest.mark.parametrize("size", SIZES)
def test_comparison(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.app.comparing.IDLE_SECONDS", 0.0)
    watts = Reading(12.3, "W", Provenance.DERIVED, "RAPL, 1 CPU package", period=0.5)
    monkeypatch.setattr("edge_sdk.app.comparing._mean_power", lambda *_: watts)

    async def scenario() -> None:
        async with running(FakeChat(PIECES), size=SIZES[size]) as driver:
            doors(driver)
            await driver.press(*"What is a tern?", "f5")
            screen = driver.app.screen
            assert isinstance(screen, CompareScreen)
            await driver.until(lambda: screen.lanes[1].query_one(Select).value == "script")
            question = screen.query_one("#question", Input)
            question.focus()
            await driver.press("enter")
            await driver.until(lambda: screen.finished)
            await compare(f"compare-{size}", driver)

    asyncio.run(scenario())


@pytest.mark.parametrize("size", SIZES)
def test_settings(size: str) -> None:
    async def scenario() -> None:
        async with running(FakeChat(PIECES), size=SIZES[size]) as driver:
            await settle(driver, [12.0, 12.1, 12.0])
            await driver.press("f6")
            await driver.until(lambda: driver.app.screen.query("#temperature"))
            await compare(f"settings-{size}", driver)

    asyncio.run(scenario())


@pytest.mark.parametrize("size", SIZES)
def test_flash(size: str) -> None:
    async def scenario() -> None:
        async with running(FakeChat(PIECES), size=SIZES[size]) as driver:
            await settle(driver, [12.0, 12.1, 12.0])
            await opened(driver, FakeFlasher())
            await driver.press("enter")
            await driver.until(lambda: "w writes it" in seen(driver))
            await driver.press("w")
            await driver.until(lambda: "Self-test" in seen(driver))
            await driver.pilot.pause(0.3)
            await compare(f"flash-{size}", driver)

    asyncio.run(scenario())
