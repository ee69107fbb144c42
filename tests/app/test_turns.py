"""What can be done with a turn: edit, continue, branch, copy, export, by key and by palette."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from edge_sdk.app.widgets.transcript import MAX_TURNS, SHOWN_AT_ONCE
from edge_sdk.app.widgets.turn import Turn, code_blocks
from edge_sdk.errors import DeviceDisconnected
from tests.app.conftest import Driver, running
from tests.app.fakes import ANSWER, FakeChat

CODE = "Look:\n\n```python\nprint('tern')\n```\n\nor\n\n```\nls\n```\n"


async def focus_turn(driver: Driver, index: int) -> Turn:
    await driver.press("ctrl+up")
    await driver.until(lambda: isinstance(driver.screen.focused, Turn))
    while True:
        turn = driver.screen.focused
        assert isinstance(turn, Turn)
        if turn.index == index:
            return turn
        await driver.press("up")


async def ready(driver: Driver) -> None:
    await driver.until(lambda: driver.prompt.accepts)


def test_an_earlier_question_is_edited_and_the_old_one_stays_as_a_branch() -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            for question in ("one", "two"):
                await driver.ask(question)
            await driver.press(*"draft")
            await focus_turn(driver, 0)
            await driver.press("e")
            assert driver.prompt.text == "one"
            assert "Editing the question" in driver.seen()
            await driver.press("s", "enter")
            await driver.until(lambda: driver.prompt.accepts and len(driver.answers) == 1)
            assert chat.answers == [("ones", "".join(ANSWER))]
            assert driver.prompt.text == "draft", "what was being typed is there again"
            await driver.until(lambda: "‹ 2 of 2 ›" in driver.seen())
            await focus_turn(driver, 0)
            await driver.press("left")
            await driver.until(lambda: len(driver.transcript.turns) == 2)
            assert [turn.user for turn in chat.turns] == ["one", "two"]
            await driver.until(lambda: "‹ 1 of 2 ›" in driver.seen())
            await driver.until(lambda: "nothing re-fed" in driver.seen())

    asyncio.run(scenario())


def test_an_edit_is_left_with_escape() -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            await driver.ask("one")
            await driver.press(*"draft")
            await focus_turn(driver, 0)
            await driver.press("e")
            await driver.press("x", "escape")
            assert driver.prompt.text == "draft"
            assert "Editing" not in driver.seen()
            await driver.press("enter")
            await driver.until(lambda: len(chat.turns) == 2)
            assert chat.asked == ["one", "draft"]

    asyncio.run(scenario())


def test_an_answer_is_edited_and_goes_on() -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            await driver.ask("one")
            chat.pieces = ["and more."]
            await focus_turn(driver, 0)
            await driver.press("a")
            assert driver.prompt.text == "".join(ANSWER)
            await driver.press("ctrl+u", "backspace", "ctrl+u", *"Terns ")
            driver.prompt.set_text("Terns fly ")
            await driver.press("enter")
            await driver.until(lambda: driver.prompt.accepts and chat.answers[0][1][:5] == "Terns")
            assert driver.answers == ["Terns flyand more."]
            # An edited answer is no question, so the up key does not find it.
            await driver.press("up")
            assert driver.prompt.text == "one"

    asyncio.run(scenario())


def test_a_stopped_answer_goes_on_by_one_key() -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            await driver.ask("one")
            chat.pieces = [" And more."]
            await driver.press("ctrl+g")
            await driver.until(lambda: "And more" in driver.answers[0] and driver.prompt.accepts)
            assert chat.answers == [("one", "".join(ANSWER) + " And more.")]

    asyncio.run(scenario())


def test_going_on_from_an_earlier_turn_and_redo() -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            for question in ("one", "two", "three"):
                await driver.ask(question)
            await focus_turn(driver, 0)
            await driver.press("enter")
            await driver.until(lambda: len(driver.transcript.turns) == 1)
            assert [turn.user for turn in chat.turns] == ["one"]
            await driver.press("escape", "ctrl+y")
            await driver.until(lambda: len(driver.transcript.turns) == 2)
            await driver.press("ctrl+y")
            await driver.until(lambda: len(driver.transcript.turns) == 3)
            await driver.press("ctrl+y")
            await driver.until(lambda: "no turn to bring back" in driver.seen())

    asyncio.run(scenario())


def test_an_edit_that_failed_brings_the_turns_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # The device would come back before a slow machine has looked.
    monkeypatch.setattr("edge_sdk.app.engine.RETRY_SECONDS", 1000.0)

    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            for question in ("one", "two"):
                await driver.ask(question)
            chat.fail = DeviceDisconnected("the board went away.")
            await focus_turn(driver, 0)
            await driver.press("e", "x", "enter")
            await driver.until(lambda: driver.screen.exit_code == 5)
            await driver.until(lambda: len(driver.transcript.turns) == 2)
            assert [turn.question for turn in driver.transcript.turns] == ["one", "two"]
            await driver.until(lambda: "The answer before is kept." in driver.seen())

    asyncio.run(scenario())


def test_walking_over_turns_and_back_to_the_prompt() -> None:
    async def scenario() -> None:
        async with running() as driver:
            await driver.press("ctrl+up")
            assert driver.screen.focused is driver.prompt
            for question in ("one", "two"):
                await driver.ask(question)
            first = await focus_turn(driver, 0)
            await driver.press("k")
            assert first.has_focus
            await driver.press("j")
            assert driver.transcript.turns[1].has_focus
            await driver.press("down")
            assert driver.screen.focused is driver.prompt

    asyncio.run(scenario())


def test_answers_and_code_blocks_are_copied() -> None:
    async def scenario() -> None:
        async with running(FakeChat([CODE])) as driver:
            await driver.ask("one")
            await focus_turn(driver, 0)
            await driver.press("c")
            await driver.until(lambda: driver.app.clipboard == CODE)
            await driver.press("b")
            await driver.until(lambda: driver.app.clipboard == "print('tern')\n")
            await driver.press("b")
            await driver.until(lambda: driver.app.clipboard == "ls\n")
            await driver.press("b")
            await driver.until(lambda: driver.app.clipboard == "print('tern')\n")
            await driver.until(lambda: "Code block 2 of 2" in driver.seen())

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("markdown", "blocks"),
    [
        ("no code", []),
        ("    indented\n", ["indented\n"]),
        ("~~~\na\n~~~\n- x\n  ```\n  b\n  ```\n", ["a\n", "b\n"]),
        ("```\nopen", ["open"]),
    ],
)
def test_code_blocks(markdown: str, blocks: list[str]) -> None:
    assert code_blocks(markdown) == blocks


def test_only_the_branch_that_is_shown_is_exported(own_home: Path) -> None:
    async def scenario() -> None:
        async with running() as driver:
            await driver.ask("one")
            await driver.press("ctrl+u")
            await driver.until(lambda: not driver.transcript.turns)
            driver.prompt.set_text("")
            await driver.ask("two")
            driver.app.action_export_json()

    asyncio.run(scenario())
    (path,) = own_home.glob("state/conversations/*.json")
    assert [turn["question"] for turn in json.loads(path.read_text())["turns"]] == ["two"]


def test_every_turn_action_is_in_the_palette() -> None:
    async def scenario() -> None:
        async with running() as driver:
            await driver.ask("one")
            commands = {c.title: c.callback for c in driver.app.get_system_commands(driver.screen)}
            assert {"Edit the question", "Edit the answer", "Branch before"} <= set(commands)
            commands["Edit the question"]()
            await driver.until(lambda: "Editing the question" in driver.seen())

    asyncio.run(scenario())


def test_a_long_conversation_keeps_only_the_newest_turns_on_the_screen() -> None:
    async def scenario() -> None:
        chat = FakeChat(["ok"])
        async with running(chat) as driver:
            await driver.ask("one")
            turn = chat.turns[0]
            archive = driver.app.engine.archive
            parent = archive.path[0]
            for _ in range(150):
                parent = archive.tree.add(turn, parent)
            driver.app.engine.go_back(150)
            await driver.until(lambda: len(driver.transcript.turns) == SHOWN_AT_ONCE)
            assert driver.transcript.turns[-1].index == 150
            for number in range(151, 211):
                await driver.transcript.begin("next", number)
            assert len(driver.transcript.turns) == SHOWN_AT_ONCE + 60 == MAX_TURNS
            await driver.transcript.begin("next")
            assert len(driver.transcript.turns) == MAX_TURNS
            assert driver.transcript.turns[-1].index == 211

    asyncio.run(scenario())


def test_old_turns_are_folded_away_and_unfold_at_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        chat = FakeChat(["paragraph\n\n" * 30])
        monkeypatch.setattr("edge_sdk.app.widgets.transcript.LAID_OUT", 40)
        async with running(chat, size=(80, 24)) as driver:
            for number in range(4):
                await driver.ask(f"question {number}")
            folded = [turn for turn in driver.transcript.turns if not turn.display]
            assert 1 <= len(folded) <= 2
            driver.transcript.focus()
            await driver.press("home")
            await driver.until(lambda: len([t for t in folded if t.display]) > 0)
            await driver.pilot.pause(0.2)
            assert driver.transcript.scroll_y > 20, "the view stays where it was"
            while driver.transcript.turns[0].display is False:
                await driver.press("home")
                await driver.pilot.pause(0.05)
            await driver.press("home")
            await driver.until(lambda: "question 0" in driver.seen())
            await driver.press("escape", *"more", "enter")
            await driver.until(lambda: not driver.transcript.turns[0].display)

    asyncio.run(scenario())
