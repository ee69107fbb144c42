"""History, device and model pickers, and the comparison, by keyboard."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, OptionList, Select, Static

from edge_sdk.app.backend import Backend
from edge_sdk.app.screens.compare import CompareScreen, verdict
from edge_sdk.app.screens.dialogs import Ask, Confirm
from edge_sdk.app.screens.history import HistoryScreen
from edge_sdk.app.screens.pickers import DevicePicker, ModelPicker
from edge_sdk.device import DeviceInfo
from edge_sdk.errors import NotFound
from edge_sdk.hub import ModelEntry
from tests.app.conftest import Driver, running
from tests.app.fakes import ANSWER, NO_POWER, FakeChat, FakeDevice

DEVICES = [
    DeviceInfo("cpu", "Example CPU", "cpu", True, memory=8 * 2**30, details={"kernels": "AVX2"}),
    DeviceInfo("script", "A script", "cpu", True),
    DeviceInfo("cuda:0", "CUDA", "gpu", False, "libcuda not found", "install the driver."),
]
MODELS = [
    ModelEntry("tern", Path("tern.edge"), 8_500_000, True),
    ModelEntry("owner/large", Path("large.edge"), 800_000_000, False),
]


def doors(driver: Driver, **changes: Any) -> None:
    """Put other doors into the engine that runs."""
    backend = driver.app.engine.backend
    for name, door in {"list_devices": lambda: DEVICES, "list_models": lambda: MODELS}.items():
        changes.setdefault(name, door)
    for name, door in changes.items():
        object.__setattr__(backend, name, door)
    assert isinstance(backend, Backend)


async def shows(driver: Driver, kind: type) -> None:
    await driver.until(lambda: isinstance(driver.app.screen, kind))


def seen(driver: Driver) -> str:
    rows = driver.app.screen._compositor.render_strips()
    return "\n".join(row.text for row in rows)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_a_device_is_chosen_and_the_conversation_goes_on_there(size: tuple[int, int]) -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat, size=size) as driver:
            doors(driver)
            await driver.ask("one")
            await driver.press("f3")
            await shows(driver, DevicePicker)
            await driver.until(lambda: "Example CPU" in seen(driver))
            assert "• cpu" in seen(driver)
            await driver.press("down", "down")
            await driver.until(lambda: "To use it: install the driver." in seen(driver))
            await driver.press("enter")
            assert isinstance(driver.app.screen, DevicePicker), "an unusable one is not chosen"
            await driver.press(*"scr")
            await driver.until(lambda: "Example CPU" not in seen(driver))
            await driver.press("enter")
            await driver.until(lambda: driver.app.engine.options.device == "script")
            await driver.until(lambda: driver.prompt.accepts)
            await driver.until(lambda: "nothing re-fed" in driver.seen())
            assert driver.answers == ["".join(ANSWER)]

    asyncio.run(scenario())


def test_a_model_is_chosen_and_reads_the_text() -> None:
    async def scenario() -> None:
        chat = FakeChat(feeds_again=321)
        async with running(chat) as driver:
            doors(driver)
            await driver.ask("one")
            await driver.press("f4")
            await shows(driver, ModelPicker)
            await driver.until(lambda: "owner/large" in seen(driver))
            await driver.press("down", "enter")
            await driver.until(lambda: driver.app.engine.options.model == "owner/large")
            await driver.until(lambda: "321 tokens fed again" in driver.seen())
            await driver.until(lambda: "owner/large on cpu" in driver.seen())

    asyncio.run(scenario())


def test_a_picker_without_a_choice_is_left() -> None:
    async def scenario() -> None:
        async with running() as driver:

            def fails() -> list[ModelEntry]:
                raise NotFound("the folder is gone.", hint="make it again.")

            doors(driver, list_devices=lambda: [], list_models=fails)
            await driver.press("f3")
            await shows(driver, DevicePicker)
            await driver.until(lambda: "nothing to choose from" in seen(driver))
            await driver.press("enter", "escape")
            await driver.until(lambda: driver.app.screen is driver.screen)
            await driver.press("f4")
            await driver.until(lambda: "the folder is gone. make it again." in seen(driver))
            await driver.press("escape")
            await driver.until(lambda: driver.app.screen is driver.screen)
            assert driver.prompt.accepts

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_a_conversation_is_found_and_resumed(size: tuple[int, int]) -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat, size=size) as driver:
            await driver.ask("birds")
            await driver.press("ctrl+n")
            await driver.until(lambda: not driver.transcript.turns)
            chat.pieces = ["A planet."]
            await driver.ask("mars")
            await driver.press("ctrl+o")
            await shows(driver, HistoryScreen)
            await driver.until(lambda: "birds" in seen(driver) and "mars" in seen(driver))
            assert time.strftime("%Y-") in seen(driver)
            await driver.press(*"slend")
            options = driver.app.screen.query_one(OptionList)
            await driver.until(lambda: options.option_count == 1)
            assert "slender" in str(options.get_option_at_index(0).prompt)
            await driver.press("enter")
            await driver.until(lambda: driver.answers == ["".join(ANSWER)])
            assert [turn.user for turn in chat.turns] == ["birds"]
            await driver.until(lambda: "nothing re-fed" in driver.seen())

    asyncio.run(scenario())


def test_conversations_are_renamed_and_deleted_with_care() -> None:
    async def scenario() -> None:
        async with running() as driver:
            await driver.ask("one")
            await driver.press("ctrl+o")
            await shows(driver, HistoryScreen)
            await driver.press("f8")
            await driver.until(lambda: "begin another one first" in seen(driver))
            await driver.press("escape", "ctrl+n")
            await driver.until(lambda: not driver.transcript.turns)
            await driver.press("ctrl+o")
            await shows(driver, HistoryScreen)
            await driver.press("f6")
            await shows(driver, Ask)
            driver.app.screen.query_one(Input).value = "My birds"
            await driver.press("enter")
            await driver.until(lambda: "My birds" in seen(driver))
            await driver.press("f8")
            await shows(driver, Confirm)
            await driver.press("enter")
            await shows(driver, HistoryScreen)
            assert "My birds" in seen(driver), "the focus is on the button that keeps"
            await driver.press("f8")
            await shows(driver, Confirm)
            await driver.press("y")
            await driver.until(lambda: "There are none yet." in seen(driver))
            await driver.press("escape")
            await driver.until(lambda: driver.app.screen is driver.screen)
            await driver.ask("two")
            assert driver.app.engine.history is not None
            assert [entry.title for entry in driver.app.engine.history.search("")] == ["two"]

    asyncio.run(scenario())


def test_questions_of_earlier_runs_are_called_back() -> None:
    async def scenario() -> None:
        async with running() as driver:
            await driver.ask("one")
            await driver.ask("two")
        async with running() as driver:
            await driver.press("up")
            assert driver.prompt.text == "two"
            await driver.press("up")
            assert driver.prompt.text == "one"

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_two_devices_side_by_side(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.app.comparing.IDLE_SECONDS", 0.0)

    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat, size=size) as driver:
            doors(driver)
            await driver.press(*"what?", "f5")
            await shows(driver, CompareScreen)
            screen = driver.app.screen
            assert isinstance(screen, CompareScreen)
            await driver.until(lambda: screen.lanes[1].query_one(Select).value == "script")
            assert screen.lanes[0].query_one(Select).value == "cpu"
            assert screen.query_one("#question", Input).value == "what?"
            screen.query_one("#question", Input).focus()
            await driver.press("enter")
            await driver.until(lambda: screen.finished)
            await driver.pilot.pause()
            text = seen(driver)
            for words in ("41.2 tok/s", "4.20 J", "840 mJ", "derived", "are the same"):
                assert words in text, words
            assert text.count("slender") == 2
            await driver.press("escape")
            await driver.until(lambda: driver.app.screen is driver.screen)
            assert driver.prompt.accepts

    asyncio.run(scenario())


def test_a_comparison_without_a_sensor_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        chat, device = FakeChat(energy=NO_POWER), FakeDevice(NO_POWER)
        async with running(chat, device) as driver:
            doors(driver)
            await driver.ask("what?")
            await driver.press("f5")
            await shows(driver, CompareScreen)
            screen = driver.app.screen
            assert isinstance(screen, CompareScreen)
            await driver.until(lambda: screen.lanes[1].query_one(Select).value == "script")
            screen.query_one("#question", Input).focus()
            await driver.press("enter")
            await driver.until(lambda: screen.finished)
            figures = str(screen.lanes[0].query_one(".lane-figures", Static).render())
            assert "unavailable" in figures
            assert "RAPL needs root" in figures

    asyncio.run(scenario())


def test_a_comparison_is_stopped_before_it_is_left() -> None:
    import threading

    async def scenario() -> None:
        chat = FakeChat(gate=threading.Semaphore(0))
        async with running(chat, FakeDevice(NO_POWER)) as driver:
            doors(driver)
            await driver.press("q", "f5")
            await shows(driver, CompareScreen)
            screen = driver.app.screen
            assert isinstance(screen, CompareScreen)
            await driver.until(lambda: screen.lanes[1].query_one(Select).value == "script")
            screen.query_one("#question", Input).focus()
            await driver.press("enter")
            await driver.until(lambda: "A tern is" in seen(driver))
            await driver.press("escape")
            await driver.until(lambda: screen.finished)
            assert driver.app.screen is screen
            await driver.press("escape")
            await driver.until(lambda: driver.prompt.accepts)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (["a", "a"], "are the same"),
        (["abc", "abd"], "from character 3 on"),
        (["abc", "ab"], "from character 3 on"),
        (["", "a"], "one after the other"),
    ],
)
def test_verdicts(answers: list[str], words: str) -> None:
    assert words in verdict(answers)


def test_lists_are_inert_to_hostile_names() -> None:
    async def scenario() -> None:
        async with running() as driver:
            evil = DeviceInfo("x:1", "[red]\x1b[2J\u202eName", "cpu", True)
            doors(driver, list_devices=lambda: [evil])
            await driver.press("f3")
            await driver.until(lambda: "[red][2JName" in seen(driver))
            assert driver.app.screen.query_one(OptionList).option_count == 1

    asyncio.run(scenario())
