"""Going back and going on: edit a question, continue an answer, resume, move to another model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from edge_sdk.chat import Chat
from edge_sdk.chat_template import PLAIN
from edge_sdk.device import Cancelled, State
from edge_sdk.errors import DeviceDisconnected, ModelRejected, UsageError
from tests.fake_session import (
    GREEDY,
    FakeSession,
    byte_tokenizer,
    fake_model,
    letters,
    scripted,
    talk,
    turn,
)


def other_chat(**options: Any) -> tuple[Chat, FakeSession]:
    """A chat with another model, which has learnt no markers."""
    model = fake_model(byte_tokenizer(), PLAIN)
    model.__dict__["sha256"] = "1" * 64
    session = FakeSession(model)
    return Chat(session, sampling=GREEDY, **options), session


def test_an_earlier_question_is_asked_differently() -> None:
    chat, session = talk("one", "two")
    for question in "abc":
        list(chat.ask(question))
    assert "".join(chat.edit(1, "B")) == "two"
    assert [kept.user for kept in chat.turns] == ["a", "B"]
    assert list(session.history) == turn("a", "one") + turn("B", "two")


@pytest.mark.parametrize("index", [-1, 1])
def test_a_turn_that_is_not_there_cannot_be_edited(index: int) -> None:
    chat, _ = talk("one")
    list(chat.ask("a"))
    with pytest.raises(UsageError, match="there is no turn"):
        chat.edit(index, "x")


def test_a_stopped_answer_goes_on_where_it_was() -> None:
    chat, session = talk("0123456789", max_tokens=4)
    assert "".join(chat.ask("a")) == "0123"
    pieces = list(chat.continue_answer(max_tokens=3))
    assert pieces[0].startswith("0123")
    assert "".join(pieces) == chat.turns[0].assistant == "0123456"
    assert list(session.history) == turn("a", "0123456")
    assert (chat.stats.kept_tokens, chat.stats.answer_tokens) == (4, 3)
    assert chat.stats.prefill_tokens_per_second > 0


def test_an_edited_answer_goes_on() -> None:
    chat, session = talk("0123456789", max_tokens=4)
    list(chat.ask("a"))
    list(chat.ask("b"))
    assert "".join(chat.continue_answer("xyz\x1b", index=0)) == "xyz3456"
    assert [(kept.user, kept.assistant) for kept in chat.turns] == [("a", "xyz3456")]
    assert list(session.history) == turn("a", "xyz3456")


def test_an_answer_that_has_nothing_to_add_stays() -> None:
    chat, session = talk("done")
    list(chat.ask("a"))
    assert "".join(chat.continue_answer()) == "done"
    assert list(session.history) == turn("a", "done")


def test_an_answer_that_could_not_go_on_is_what_it_was() -> None:
    chat, session = talk("0123456789", max_tokens=4)
    list(chat.ask("a"))
    before = list(chat.turns)

    def gone(ids: Sequence[int]) -> None:
        raise DeviceDisconnected("gone.")

    session.on_feed = gone
    with pytest.raises(DeviceDisconnected):
        list(chat.continue_answer("xyz"))
    session.on_feed = None
    assert chat.turns == before
    assert list(session.history) == turn("a", "0123")


def test_what_follows_a_stop_text_is_no_part_of_an_answer() -> None:
    chat, session = other_chat(max_tokens=1)
    list(chat.ask("a"))
    list(chat.continue_answer("Hi.\nUser: more"))
    assert chat.session.model.tokenizer.decode(session.history).startswith("User: a\nAssistant:Hi.")
    assert "more" not in chat.turns[0].assistant
    assert chat.turns[0].ids[chat.turns[0].question_tokens :][:3] == tuple(letters("Hi."))


def test_another_branch_is_resumed_without_feeding() -> None:
    chat, session = talk("one", "two")
    list(chat.ask("a"))
    list(chat.ask("b"))
    first, history = list(chat.turns), session.history
    list(chat.edit(1, "c"))
    feeds = len(session.feeds)
    assert chat.resume(first) == 0
    assert (session.history, len(session.feeds)) == (history, feeds)
    assert chat.resume(first[:1]) == 0
    assert list(session.history) == turn("a", "one")
    assert chat.resume([]) == 0
    assert (session.history, chat.turns) == ((), [])


def test_a_saved_conversation_is_resumed_on_another_device() -> None:
    chat, session = talk("one", "two")
    list(chat.ask("a"))
    other = FakeSession(session.model, scripted("one", "two"))
    other._histories = session._histories
    moved = Chat(other, sampling=GREEDY)
    assert moved.resume(chat.turns) == 0
    assert other.feeds == []
    assert "".join(moved.ask("b")) == "two"
    assert list(other.history) == turn("a", "one") + turn("b", "two")


def test_a_state_that_does_not_fit_is_fed_again() -> None:
    chat, session = talk("one")
    list(chat.ask("a"))

    class Other(FakeSession):
        def restore(self, state: State) -> None:
            if state.position:
                raise ModelRejected("another form.")
            super().restore(state)

    other = Other(session.model)
    assert Chat(other).resume(chat.turns) == len(turn("a", "one"))
    assert list(other.history) == turn("a", "one")


def test_another_model_reads_the_text_with_progress() -> None:
    chat, _ = talk("one", "two")
    list(chat.ask("a"))
    list(chat.ask("b"))
    moved, session = other_chat()
    told: list[tuple[str, int, int]] = []
    fed = moved.resume(chat.turns, progress=lambda *step: told.append(step))
    text = "User: a\nAssistant:one\nUser: b\nAssistant:two\n"
    assert session.model.tokenizer.decode(session.history) == text
    assert fed == len(text) == session.position
    assert told[0] == ("reading the conversation", 0, fed)
    moved.undo()
    assert session.model.tokenizer.decode(session.history) == text[: text.index("User: b")]


def test_what_does_not_fit_is_left_out_when_it_is_fed_again() -> None:
    chat, _ = talk("12345")
    for letter in "abcdef":
        list(chat.ask(letter))
    moved, session = other_chat(context_limit=80, max_tokens=10)
    moved.resume(chat.turns)
    assert session.position <= 40
    assert len(moved.turns) == 6
    start = moved.turns[-1].context_start
    assert 0 < start < 6
    while len(moved.turns) > start:
        moved.undo()
    assert session.position == 0
    list(moved.ask("x"))
    assert session.model.tokenizer.decode(session.history).startswith("User: x\n")


def test_moving_can_be_cancelled() -> None:
    chat, _ = talk("one")
    list(chat.ask("a"))
    moved, session = other_chat()
    list(moved.ask("mine"))
    history, turns = session.history, list(moved.turns)

    def stop(ids: Sequence[int]) -> None:
        raise Cancelled

    session.on_feed = stop
    with pytest.raises(Cancelled):
        moved.resume(chat.turns)
    session.on_feed = None
    assert (session.history, moved.turns) == (history, turns)
