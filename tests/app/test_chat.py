"""A conversation by keyboard: ask, stream, stop, undo, again, new, history, errors."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from textual.events import Key
from textual.widgets._footer import FooterKey

from edge_sdk.app.chat_app import EdgeChatApp
from edge_sdk.errors import DeviceDisconnected, DeviceNotFound
from tests.app.conftest import PATIENCE, Driver, running
from tests.app.fakes import ANSWER, FakeChat, FakeDevice, engine


def test_a_question_is_answered_and_the_figures_follow() -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            await driver.ask("What is a tern?")
            assert chat.asked == ["What is a tern?"]
            assert driver.answers == ["".join(ANSWER)]
            seen = driver.seen()
            for words in ("slender sea bird", "5 tokens", "41.2 tok/s", "38 of 1024", "ready"):
                assert words in seen, words

    asyncio.run(scenario())


def test_tokens_show_while_the_answer_is_written_and_typing_goes_on() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        async with running(FakeChat(gate=gate)) as driver:
            await driver.ask("go", finish=False)
            await driver.until(lambda: "A tern is" in driver.seen())
            assert "sea bird" not in driver.seen()
            await driver.press(*"next one", "enter")
            assert driver.prompt.text == "next one"
            for _ in ANSWER:
                gate.release()
            await driver.until(lambda: "very far." in driver.seen())
            assert driver.prompt.text == "next one"

    asyncio.run(scenario())


def test_escape_stops_and_keeps_the_partial_answer() -> None:
    async def scenario() -> None:
        chat = FakeChat(gate=threading.Semaphore(0))
        async with running(chat) as driver:
            await driver.ask("go", finish=False)
            await driver.until(lambda: driver.answers == ["A tern is "])
            assert "Stop" in driver.seen()
            await driver.press("escape")
            await driver.until(lambda: driver.prompt.accepts)
            assert driver.answers == ["A tern is "]
            assert chat.answers == [("go", "A tern is ")]
            assert "stopped" in driver.text_of(".note")

    asyncio.run(scenario())


def test_keys_act_in_the_order_in_which_they_were_pressed_while_the_screen_is_busy() -> None:
    async def scenario() -> None:
        async with running() as driver:
            free = asyncio.Event()
            driver.screen.call_later(free.wait)
            await asyncio.sleep(0.05)
            for key, character in (("a", "a"), ("backspace", None), ("b", "b"), ("left", None)):
                driver.app.post_message(Key(key, character))
            driver.app.post_message(Key("c", "c"))
            async with asyncio.timeout(PATIENCE):
                while "c" not in driver.prompt.text:
                    await asyncio.sleep(0.01)
            free.set()
            await driver.pilot.pause(0.05)
            assert driver.prompt.text == "cb"

    asyncio.run(scenario())


def test_typing_leaves_nothing_behind_in_the_footer() -> None:
    async def scenario() -> None:
        async with running() as driver:
            for _ in range(8):
                await driver.press("a", "backspace")
            await driver.pilot.pause(0.1)
            shown = len(driver.screen.query(FooterKey))
            gc.collect()
            kept = [thing for thing in gc.get_objects() if isinstance(thing, FooterKey)]
            # One set may still be on its way out.
            assert shown <= len(kept) <= 2 * shown

    asyncio.run(scenario())


def test_text_that_comes_fast_is_drawn_less_often_and_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_sdk.app.screens.chat.SCREEN_SHARE", 1e-9)
    monkeypatch.setattr("edge_sdk.app.screens.chat.MAX_DRAIN_SECONDS", 30.0)

    async def scenario() -> None:
        gate = threading.Semaphore(0)
        async with running(FakeChat(gate=gate)) as driver:
            await driver.ask("go", finish=False)
            gate.release()
            await driver.until(lambda: driver.screen.engine.events)
            await driver.pilot.pause(0.3)
            # The screen owes the model more time than there will be, so the text waits,
            assert driver.screen.engine.events
            for _ in ANSWER:
                gate.release()
            # until the answer has ended.
            await driver.until(lambda: "very far." in driver.seen())
            assert driver.answers == ["".join(ANSWER)]

    asyncio.run(scenario())


def test_undo_gives_the_question_back() -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            await driver.ask("one")
            await driver.ask("two")
            await driver.press("ctrl+u")
            await driver.until(lambda: len(driver.transcript.turns) == 1)
            assert [turn.user for turn in chat.turns] == ["one"]
            assert driver.prompt.text == "two"
            await driver.until(lambda: "nothing re-fed" in driver.seen())
            # With text in the prompt the same key deletes to the start of the line.
            await driver.press("ctrl+u")
            assert driver.prompt.text == ""
            assert len(driver.transcript.turns) == 1
            await driver.press("ctrl+u")
            await driver.until(lambda: not driver.transcript.turns)

    asyncio.run(scenario())


def test_undo_of_nothing_says_so() -> None:
    async def scenario() -> None:
        async with running() as driver:
            await driver.press("ctrl+u")
            await driver.until(lambda: "no turn to undo" in driver.seen())

    asyncio.run(scenario())


def test_regenerate_replaces_the_last_answer() -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            await driver.ask("one")
            chat.pieces = ["Another answer."]
            await driver.press("ctrl+r")
            await driver.until(lambda: driver.prompt.accepts and "Another" in driver.answers[0])
            assert driver.answers == ["Another answer."]
            assert chat.answers == [("one", "Another answer.")]
            assert "sea bird" not in driver.seen()

    asyncio.run(scenario())


def test_an_answer_that_could_not_be_written_again_comes_back() -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            await driver.ask("one")
            chat.fail = DeviceDisconnected("the board went away.")
            await driver.press("ctrl+r")
            await driver.until(lambda: driver.screen.exit_code == 5)
            assert driver.answers == ["".join(ANSWER)]
            await driver.until(lambda: "The answer before is kept." in driver.seen())
            assert "sea bird" in driver.seen()

    asyncio.run(scenario())


def test_new_conversation_while_answering() -> None:
    async def scenario() -> None:
        chat = FakeChat(gate=threading.Semaphore(0))
        async with running(chat) as driver:
            await driver.ask("go", finish=False)
            await driver.until(lambda: driver.answers == ["A tern is "])
            await driver.press("ctrl+n")
            await driver.until(lambda: not driver.transcript.turns)
            assert chat.turns == []
            assert driver.prompt.accepts
            assert "Ask anything" in driver.seen()

    asyncio.run(scenario())


def test_lines_and_history() -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            await driver.press(*"ab", "ctrl+j", *"cd", "alt+enter", "e", "enter")
            await driver.until(lambda: chat.turns)
            assert chat.asked == ["ab\ncd\ne"]
            await driver.until(lambda: driver.prompt.accepts)
            await driver.ask("two")
            await driver.press("up")
            assert driver.prompt.text == "two"
            await driver.press("up", "up")
            assert driver.prompt.text == "ab\ncd\ne"
            await driver.press("down", "down")
            assert driver.prompt.text == ""
            # A text of one's own is never replaced.
            await driver.press("x", "up")
            assert driver.prompt.text == "x"

    asyncio.run(scenario())


def test_keys_in_one_burst_keep_their_order() -> None:
    async def scenario() -> None:
        chat = FakeChat()
        async with running(chat) as driver:
            for key in (*"quick", "enter"):
                driver.app.simulate_key(key)
            await driver.until(lambda: chat.asked == ["quick"])

    asyncio.run(scenario())


def test_scrolling_up_holds_while_tokens_arrive() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        chat = FakeChat(pieces=[f"line {n}\n\n" for n in range(60)], gate=gate)
        async with running(chat, size=(80, 24)) as driver:
            await driver.ask("go", finish=False)
            for _ in range(30):
                gate.release()
            await driver.until(lambda: "line 30" in driver.seen())
            driver.transcript.scroll_to(y=2, animate=False)
            driver.transcript.release_anchor()
            await driver.pilot.pause()
            held = driver.transcript.scroll_y
            for _ in range(30):
                gate.release()
            await driver.until(lambda: driver.prompt.accepts)
            assert driver.transcript.scroll_y == held
            assert "line 59" not in driver.seen()

    asyncio.run(scenario())


def test_an_error_while_answering_is_a_sentence_and_the_app_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The device would come back before a slow machine has looked.
    monkeypatch.setattr("edge_sdk.app.engine.RETRY_SECONDS", 1000.0)

    async def scenario() -> None:
        lost = DeviceDisconnected("the board went away.", hint="plug it in again.")
        chat = FakeChat(fail=lost)
        async with running(chat) as driver:
            await driver.ask("go")
            seen = driver.seen()
            assert "The board went away." in seen
            assert "Plug it in again." in seen
            assert driver.screen.exit_code == 5
            chat.fail = None
            await driver.ask("again")
            assert driver.screen.exit_code == 0
            # The failed turn is no part of the conversation, so undo takes both off the screen.
            await driver.press("ctrl+u")
            await driver.until(lambda: len(driver.transcript.turns) == 1)
            assert chat.turns == []

    asyncio.run(scenario())


@pytest.mark.parametrize(("more", "asked"), [("", True), (" and", False)], ids=["sent", "edited"])
def test_what_is_typed_while_it_starts_is_not_lost(more: str, asked: bool) -> None:
    async def scenario() -> None:
        gate = threading.Event()
        app = EdgeChatApp(engine(FakeChat(["Hi."]), gate=gate))
        async with app.run_test(size=(100, 30)) as pilot:
            driver = Driver(app, pilot)
            assert not app.chat.ready
            await driver.press(*"Hello", "enter", *(more.replace(" ", "_")))
            gate.set()
            await driver.until(lambda: app.chat.ready)
            await pilot.pause()
            if asked:
                await driver.until(lambda: "Hi." in driver.seen())
                assert driver.prompt.text == ""
            else:
                assert driver.prompt.text == "Hello_and"
                assert not driver.transcript.turns

    asyncio.run(scenario())


def test_a_device_that_cannot_be_opened_is_explained() -> None:
    async def scenario() -> None:
        missing = DeviceNotFound("no board answers at [/dev/ttyX].", hint="check the cable.")
        app = EdgeChatApp(engine(opening=missing))
        async with app.run_test(size=(80, 24)) as pilot:
            driver = Driver(app, pilot)
            await driver.until(lambda: app.chat.failure)
            await pilot.pause()
            seen = driver.seen()
            for words in ("No board answers at [/dev/ttyX].", "Check the cable.", "exit code 3"):
                assert words in seen
            assert driver.prompt.disabled
            assert app.chat.exit_code == 3
            await driver.press("ctrl+u", "ctrl+r", "ctrl+n", "escape")
            assert not app.return_code

    asyncio.run(scenario())


def test_a_mistake_of_ours_is_a_sentence_too_and_the_device_is_released() -> None:
    async def scenario() -> None:
        device = FakeDevice(fail_load=ZeroDivisionError("division by zero"))
        app = EdgeChatApp(engine(device=device))
        async with app.run_test() as pilot:
            driver = Driver(app, pilot)
            await driver.until(lambda: app.chat.failure)
            assert app.chat.failure is not None
            assert "ZeroDivisionError" in app.chat.failure.message
        assert device.closed

    asyncio.run(scenario())


def test_leaving_while_answering_releases_the_device() -> None:
    async def scenario() -> None:
        device = FakeDevice()
        chat = FakeChat(gate=threading.Semaphore(0))
        async with running(chat, device) as driver:
            await driver.ask("go", finish=False)
            await driver.press("ctrl+q")
        assert device.closed

    asyncio.run(scenario())
