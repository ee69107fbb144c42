"""Conversations on the fake session: text, state and figures after every kind of end."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest

from edge_sdk.chat import Chat
from edge_sdk.chat_template import PLAIN
from edge_sdk.errors import DeviceDisconnected, UnsupportedOperation, UsageError
from edge_sdk.sampling import Sampler
from tests.fake_session import (
    GREEDY,
    FakeSession,
    byte_tokenizer,
    fake_model,
    letters,
    llama_tokenizer,
    scripted,
    state_after,
    talk,
    turn,
)


def test_an_answer_comes_in_pieces_and_becomes_a_turn() -> None:
    chat, session = talk("A tern 🐦.")
    pieces = list(chat.ask("Who?"))
    assert "".join(pieces) == "A tern 🐦."
    assert len(pieces) > 3 and all(pieces)
    [kept] = chat.turns
    assert (kept.user, kept.assistant, kept.stop_reason) == ("Who?", "A tern 🐦.", "stop")
    assert list(kept.ids) == turn("Who?", "A tern 🐦.") == list(session.history)


def test_the_state_after_turns_is_that_of_one_long_feed() -> None:
    chat, session = talk("One.", "Two!", "")
    for question in ("a", "b", "c"):
        "".join(chat.ask(question))
    ids = turn("a", "One.") + turn("b", "Two!") + turn("c", "")
    assert session.hidden.tolist() == state_after(session, ids)
    assert [kept.assistant for kept in chat.turns] == ["One.", "Two!", ""]
    assert chat.stats.context_used == len(ids)


def test_typed_control_tokens_stay_text() -> None:
    chat, session = talk("ok")
    list(chat.ask("x<|end|><|bot|>y"))
    assert session.history[1:-4] == tuple(letters("x<|end|><|bot|>y"))


def test_control_tokens_within_an_answer_are_fed_but_not_shown() -> None:
    session = FakeSession(choose=scripted([*letters("a"), 0, *letters("b")]))
    session.model = fake_model(byte_tokenizer(), replace(session.model.chat_template, stop=()))
    chat = Chat(session, sampling=GREEDY, max_tokens=4)
    assert "".join(chat.ask("x")) == "ab"
    assert session.history[-5:] == (*letters("a"), 0, *letters("b"), 1, 1)


def test_max_tokens_ends_an_answer_and_closes_it() -> None:
    chat, session = talk("a long answer", max_tokens=6)
    assert "".join(chat.ask("x")) == "a long"
    assert chat.turns[0].stop_reason == chat.stats.stop_reason == "length"
    assert list(session.history) == turn("x", "a long")
    assert "".join(chat.ask("x", max_tokens=3)) == "a l"


def test_a_cut_character_is_marked() -> None:
    chat, session = talk("🐦", max_tokens=2)
    assert "".join(chat.ask("x")) == "\ufffd" == chat.turns[0].assistant
    assert session.history[-3:] == (*letters("🐦")[:2], 1)


def test_undo_restores_without_feeding() -> None:
    chat, session = talk("One.", "Two!")
    list(chat.ask("a"))
    list(chat.ask("b"))
    session.feeds.clear()
    undone = chat.undo()
    assert undone is not None and undone.user == "b"
    assert session.feeds == []
    assert session.hidden.tolist() == state_after(session, turn("a", "One."))
    assert chat.stats.context_used == session.position
    chat.undo()
    assert session.position == 0
    assert chat.undo() is None


def test_regenerate_goes_from_the_state_before() -> None:
    session = FakeSession()
    chat = Chat(session, sampling=Sampler(temperature=2.0, top_k=0, top_p=1.0, seed=4))
    first = "".join(chat.ask("x", max_tokens=8))
    before = chat.turns[0].before
    second = "".join(chat.regenerate(max_tokens=8))
    assert first != second
    [kept] = chat.turns
    assert (kept.user, kept.assistant) == ("x", second)
    assert kept.before.position == before.position == 0
    assert list(session.history) == list(kept.ids)


def test_regenerate_needs_a_turn() -> None:
    chat, _ = talk("a")
    with pytest.raises(UsageError, match="no answer"):
        chat.regenerate()


def test_reset_begins_anew() -> None:
    chat, session = talk("a")
    list(chat.ask("x"))
    chat.reset()
    assert (session.position, chat.turns, chat.stats.context_used) == (0, [], 0)


@pytest.mark.parametrize("read", range(1, 5))
def test_stop_keeps_what_is_written(read: int) -> None:
    chat, session = talk("a long answer")
    answer = chat.ask("x")
    seen = "".join(islice(answer, read))
    chat.stop()
    assert list(answer) == []
    assert chat.turns[0].assistant == seen == "a long answer"[:read]
    assert chat.turns[0].stop_reason == "cancelled"
    assert list(session.history) == turn("x", seen)


@pytest.mark.parametrize("how", ["break", "close", "ask", "undo"])
def test_a_reader_that_leaves_keeps_the_turn(how: str) -> None:
    chat, session = talk("a long answer", "Two!")
    answer = chat.ask("x")
    assert next(answer) == "a"
    if how == "break":
        for _ in answer:
            break
        del answer
        chat.stop()
        chat._settle()
        assert list(session.history) == turn("x", "a ")
    elif how == "close":
        answer.close()  # type: ignore[attr-defined]
        assert list(session.history) == turn("x", "a")
    elif how == "ask":
        assert "".join(chat.ask("y")) == "Two!"
        assert list(session.history) == turn("x", "a") + turn("y", "Two!")
    else:
        chat.undo()
        assert (session.position, chat.turns) == (0, [])
    assert all(kept.stop_reason in ("cancelled", "stop") for kept in chat.turns)


def test_a_reader_that_leaves_within_a_character_keeps_all_of_it() -> None:
    """The piece "a" + first byte of the bird shows "a" only; the turn tells of the cut bird."""
    tokenizer = byte_tokenizer([("a", "ð")])
    session = FakeSession(fake_model(tokenizer), choose=lambda history: tokenizer.vocab_size - 1)
    chat = Chat(session, sampling=GREEDY)
    assert next(chat.ask("x")) == "a"
    assert chat.undo() is not None
    answer = chat.ask("x")
    assert next(answer) == "a"
    answer.close()  # type: ignore[attr-defined]
    assert chat.turns[0].assistant == "a\ufffd"
    assert list(session.history) == [2, *letters("x"), 3, tokenizer.vocab_size - 1, 1]


def test_an_answer_that_is_never_read_never_happened() -> None:
    chat, session = talk("a")
    unread = chat.ask("x")
    assert "".join(chat.ask("y")) == "a"
    assert list(unread) == []
    assert list(session.history) == turn("y", "a")


@pytest.mark.parametrize("how", ["stop", "cancel"])
def test_cancelled_in_the_question_nothing_happened(how: str) -> None:
    chat, session = talk("a")
    list(chat.ask("x"))
    cancel = threading.Event()
    answer = chat.ask("y", cancel=cancel)
    chat.stop() if how == "stop" else cancel.set()
    assert list(answer) == []
    assert [kept.user for kept in chat.turns] == ["x"]
    assert list(session.history) == turn("x", "a")
    assert chat.stats.stop_reason == "cancelled"
    assert chat.stats.context_used == session.position
    assert "".join(chat.ask("y")) == "a"


def test_a_cancelled_regenerate_leaves_the_old_turn() -> None:
    chat, session = talk("a")
    list(chat.ask("x"))
    again = chat.regenerate()
    chat.stop()
    assert list(again) == []
    assert [kept.assistant for kept in chat.turns] == ["a"]
    assert list(session.history) == turn("x", "a")


@pytest.mark.parametrize("after", range(6))
def test_an_error_of_the_device_takes_the_turn_back(after: int) -> None:
    """In the question, in the answer, and in the feed that closes it."""
    chat, session = talk("One.")
    list(chat.ask("x"))
    left = [after]

    def on_feed(ids: Sequence[int]) -> None:
        if not left[0]:
            raise DeviceDisconnected("the board went away.")
        left[0] -= 1

    session.on_feed = on_feed
    with pytest.raises(DeviceDisconnected):
        list(chat.ask("y"))
    session.on_feed = None
    assert [kept.user for kept in chat.turns] == ["x"]
    assert list(session.history) == turn("x", "One.")
    assert chat.stats.context_used == session.position
    assert "".join(chat.ask("y")) == "One."


def test_a_restore_that_failed_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    chat, session = talk("One.")
    list(chat.ask("x"))

    def gone(*_: object, **__: object) -> Any:
        raise DeviceDisconnected("the board went away.")

    answer = chat.ask("y")
    next(answer)
    monkeypatch.setattr(session, "restore", gone)
    session.on_feed = gone
    with pytest.raises(DeviceDisconnected):
        list(answer)
    with pytest.raises(DeviceDisconnected):
        chat.ask("y")
    monkeypatch.undo()
    session.on_feed = None
    assert "".join(chat.ask("z")) == "One."
    assert list(session.history) == turn("x", "One.") + turn("z", "One.")


def plain_talk(reply: str, tokenizer: Any = None) -> tuple[Chat, FakeSession]:
    """A base model that goes on with `reply` after each "Assistant:"."""
    tokenizer = byte_tokenizer() if tokenizer is None else tokenizer

    def choose(history: tuple[int, ...]) -> int:
        said = tokenizer.decode(history).rpartition("Assistant:")[2]
        rest = tokenizer.encode(reply[len(said) :] or "~", start=False)
        return int(rest[0])

    session = FakeSession(fake_model(tokenizer, PLAIN), choose)
    return Chat(session, sampling=GREEDY, max_tokens=40), session


@pytest.mark.parametrize("kind", ["bytes", "llama"])
def test_a_stop_text_is_neither_shown_nor_kept_in_the_state(kind: str) -> None:
    tokenizer = byte_tokenizer() if kind == "bytes" else llama_tokenizer()
    chat, session = plain_talk(" Hi.\nUser: more", tokenizer)
    pieces = list(chat.ask("Hello"))
    # The Llama kind takes the space in front away when it decodes.
    assert "".join(pieces) == (" Hi." if kind == "bytes" else "Hi.")
    assert chat.turns[0].stop_reason == "stop"
    assert tokenizer.decode(session.history) == "User: Hello\nAssistant: Hi.\n"
    list(chat.ask("Bye"))
    assert tokenizer.decode(session.history) == (
        "User: Hello\nAssistant: Hi.\nUser: Bye\nAssistant: Hi.\n"
    )
    ids = [token for kept in chat.turns for token in kept.ids]
    assert session.hidden.tolist() == state_after(session, ids)


def test_a_false_stop_text_is_shown_late_but_whole() -> None:
    chat, _ = plain_talk("a\nUseful" + "~" * 40)
    assert "".join(chat.ask("x")).startswith("a\nUseful~")


def test_the_system_text_and_bos_stand_in_front_once() -> None:
    session = FakeSession(fake_model(llama_tokenizer(), PLAIN))
    chat = Chat(session, sampling=GREEDY, system="Be brief.", max_tokens=3)
    list(chat.ask("a"))
    list(chat.ask("b"))
    assert session.history.count(1) == session.history[0] == 1
    assert chat.turns[1].ids[0] != 1


def test_asking_in_another_thread_meanwhile_is_refused() -> None:
    chat, session = talk("a long answer")
    entered, leave = threading.Event(), threading.Event()

    def on_feed(ids: Sequence[int]) -> None:
        entered.set()
        leave.wait(10)

    session.on_feed = on_feed
    answer = chat.ask("x")
    thread = threading.Thread(target=lambda: list(answer))
    thread.start()
    entered.wait(10)
    with pytest.raises(UsageError, match="still being written"):
        chat.ask("y")
    leave.set()
    thread.join()
    assert [kept.assistant for kept in chat.turns] == ["a long answer"]


@pytest.mark.parametrize("text", ["", " \n", "\x00", "x" * (257 << 10)])
def test_an_unusable_question_is_refused_at_once(text: str) -> None:
    chat, session = talk("a")
    with pytest.raises(UsageError):
        chat.ask(text)
    assert session.feeds == []


@pytest.mark.parametrize("options", [{"max_tokens": 0}, {"context_limit": 0}, {"max_tokens": 1.5}])
def test_odd_limits_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        talk("a", **options)


def test_a_model_without_a_tokenizer_is_refused() -> None:
    class Tokenless(SimpleNamespace):
        @property
        def tokenizer(self) -> Any:
            raise UnsupportedOperation("the model has no tokenizer.")

    session = FakeSession()
    session.model = Tokenless(chat_template=PLAIN)  # type: ignore[assignment]
    with pytest.raises(UnsupportedOperation, match="tokenizer"):
        Chat(session)
