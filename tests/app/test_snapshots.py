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

from edge_sdk.telemetry import Reading
from tests.app.conftest import Driver, running
from tests.app.fakes import NO_POWER, FakeChat, FakeDevice

SNAPSHOTS = Path(__file__).parent / "snapshots"
PIECES = [
    "Terns are **slender** sea birds with long wings.\n\n",
    "- They fly from the Arctic to the Antarctic.\n- They eat small fish.\n\n",
    "```python\nprint('tern')\n```\n",
]


def compare(name: str, svg: str) -> None:
    """Fail where `svg` differs from the kept picture in more than its generated ids."""
    svg = re.sub(r"terminal-\d+", "terminal", svg)
    kept = SNAPSHOTS / f"{name}.svg"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(svg, "utf-8")
    assert kept.read_text("utf-8") == svg, f"{name} looks different; see the module's docstring"


async def settle(driver: Driver, watts: list[float]) -> None:
    """Hold still what changes with time: cursor and power history."""
    driver.prompt.cursor_blink = False
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
            compare("wide", driver.app.export_screenshot())

    asyncio.run(scenario())


@pytest.mark.parametrize("panel", [False, True])
def test_narrow_without_a_sensor(panel: bool) -> None:
    async def scenario() -> None:
        async with running(*no_sensor(), size=(80, 24)) as driver:
            await driver.ask("What is a tern?")
            if panel:
                await driver.press("f2", "tab")
            await settle(driver, [])
            compare("narrow-panel" if panel else "narrow", driver.app.export_screenshot())

    asyncio.run(scenario())
