"""Any sequence of what a user can do leaves turns, text and state in agreement."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_sdk.chat import Chat
from edge_sdk.chat_template import PLAIN, ChatTemplate
from edge_sdk.device import Cancelled
from edge_sdk.errors import DeviceDisconnected
from edge_sdk.sampling import Sampler
from edge_sdk.tokenizer import Tokenizer
from edge_sdk.turns import Turn
from tests.fake_session import (
    MARKED,
    FakeSession,
    byte_tokenizer,
    fake_model,
    llama_tokenizer,
    same,
    state_after,
)

KINDS: list[tuple[Tokenizer, ChatTemplate]] = [
    (byte_tokenizer(), MARKED),
    (byte_tokenizer([("Ċ", "U"), ("s", "e"), ("se", "r"), ("Ġ", "a")]), PLAIN),
    (llama_tokenizer(), PLAIN),
]
TEXTS = st.text(alphabet="ab é🐦:\nU<|end|>", min_size=1, max_size=8).filter(str.strip)


class Conversation(RuleBasedStateMachine):
    """Chat on a fake model that babbles, begins stop texts and sometimes ends them."""

    @initialize(
        kind=st.sampled_from(KINDS),
        limit=st.sampled_from([40, 90, 1000]),
        system=st.sampled_from([None, "S"]),
        seed=st.integers(0, 5),
    )
    def begin(
        self, kind: tuple[Tokenizer, ChatTemplate], limit: int, system: str | None, seed: int
    ) -> None:
        self.tokenizer, self.template = kind
        self.session = FakeSession(fake_model(self.tokenizer, self.template), self.babble)
        sampler = Sampler(temperature=0.3, seed=seed)
        self.chat = Chat(
            self.session, sampling=sampler, max_tokens=12, system=system, context_limit=limit
        )
        self.system = system
        self.open: Iterator[str] | None = None
        self.branches: list[list[Turn]] = []
        self.moves = 0
        self.foreign: list[Turn] = []

    def babble(self, history: tuple[int, ...]) -> int:
        """The next letter of "\\nUser:" after a part of it, a stop, or anything."""
        mood = int(self.session.hidden[1]) % 4
        tail = self.tokenizer.decode(history[-8:])
        for size in range(5, 0, -1):
            if mood and tail.endswith("\nUser:"[:size]):
                return self.tokenizer.encode("\nUser:"[size:], start=False)[0]
        choices = self.tokenizer.encode("\na U🐦", start=False)
        stops = list(self.session.model.stop_ids) or choices
        return int([*choices, stops[0]][int(self.session.hidden[2]) % (len(choices) + 1)])

    def settled(self) -> None:
        if self.open is not None:
            self.chat._settle()
            self.open = None

    @rule(text=TEXTS)
    def ask_and_read_all(self, text: str) -> None:
        count = len(self.chat.turns) + (self.open is not None)
        self.open = None
        shown = "".join(self.chat.ask(text))
        assert len(self.chat.turns) == count + 1
        assert self.chat.turns[-1].user == text.strip()
        assert self.chat.turns[-1].assistant == shown

    @rule(text=TEXTS, read=st.integers(1, 4), end=st.sampled_from(["stop", "cancel", "leave"]))
    def ask_and_read_a_part(self, text: str, read: int, end: str) -> None:
        self.settled()
        cancel, count = threading.Event(), len(self.chat.turns)
        answer = self.chat.ask(text, cancel=cancel)
        shown = "".join(islice(answer, read))
        if end == "leave":
            # A short answer may have been read to its end.
            self.open = answer if len(self.chat.turns) == count else None
            return
        self.chat.stop() if end == "stop" else cancel.set()
        shown += "".join(answer)
        assert self.chat.turns[-1].assistant == shown

    @rule(text=TEXTS, after=st.integers(0, 6))
    def ask_and_lose_the_device(self, text: str, after: int) -> None:
        self.settled()
        turns, history = list(self.chat.turns), self.session.history
        left = [after]

        def on_feed(ids: Sequence[int]) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise DeviceDisconnected("gone.")

        self.session.on_feed = on_feed
        try:
            list(self.chat.ask(text))
        except DeviceDisconnected:
            assert (self.chat.turns, self.session.history) == (turns, history)
        self.session.on_feed = None

    @rule()
    def undo(self) -> None:
        self.settled()
        count, feeds = len(self.chat.turns), len(self.session.feeds)
        turn = self.chat.undo()
        assert len(self.session.feeds) == feeds
        if turn is None:
            assert count == 0 == self.session.position
            return
        assert len(self.chat.turns) == count - 1
        assert same(self.session.snapshot(), turn.before)

    @precondition(lambda self: self.open is None and self.chat.turns)
    @rule(stop=st.booleans())
    def regenerate(self, stop: bool) -> None:
        questions = [turn.user for turn in self.chat.turns]
        answer = self.chat.regenerate()
        if stop:
            self.chat.stop()
        shown = "".join(answer)
        assert [turn.user for turn in self.chat.turns] == questions
        if not stop:
            assert self.chat.turns[-1].assistant == shown

    @precondition(lambda self: self.open is None and self.chat.turns)
    @rule(text=TEXTS, at=st.integers(0, 9), end=st.sampled_from(["read", "stop", "lose"]))
    def edit(self, text: str, at: int, end: str) -> None:
        turns, history = list(self.chat.turns), self.session.history
        index = at % len(turns)
        answer = self.chat.edit(index, text)
        if self.read_in_some_way(answer, end) is None:
            assert (self.chat.turns, self.session.history) == (turns, history)
        else:
            assert self.chat.turns[:-1] == turns[:index]
            assert self.chat.turns[-1].user == text.strip()

    @precondition(lambda self: self.open is None and self.chat.turns)
    @rule(
        text=st.none() | st.text(alphabet="ab é\nUser:", max_size=9),
        at=st.integers(0, 9),
        end=st.sampled_from(["read", "stop", "lose"]),
    )
    def continue_an_answer(self, text: str | None, at: int, end: str) -> None:
        turns, history = list(self.chat.turns), self.session.history
        index = at % len(turns)
        shown = self.read_in_some_way(self.chat.continue_answer(text, index=index), end)
        if shown is None:
            assert (self.chat.turns, self.session.history) == (turns, history)
            return
        assert self.chat.turns[:-1] == turns[:index]
        turn = self.chat.turns[-1]
        assert (turn.user, turn.assistant) == (turns[index].user, shown)
        if text is not None:
            assert shown.startswith(text.partition("\nUser:")[0].rstrip("\nUser:"))
        assert len(turn.ids) >= turn.question_tokens + turn.stats.kept_tokens

    def read_in_some_way(self, answer: Iterator[str], end: str) -> str | None:
        """All of the answer; None where it was stopped, or the device lost, in the question."""
        if end == "stop":
            self.chat.stop()
        if end == "lose":
            self.session.on_feed = lambda ids: exec('raise DeviceDisconnected("gone.")')
        try:
            shown = "".join(answer)
        except DeviceDisconnected:
            return None
        finally:
            self.session.on_feed = None
        return None if end == "stop" else shown

    @precondition(lambda self: self.open is None)
    @rule()
    def keep_this_branch(self) -> None:
        self.branches.append(list(self.chat.turns))

    @precondition(lambda self: self.open is None and self.branches)
    @rule(at=st.integers(0, 9), length=st.integers(0, 9))
    def go_to_a_branch(self, at: int, length: int) -> None:
        branch = self.branches[at % len(self.branches)][:length]
        feeds = len(self.session.feeds)
        assert self.chat.resume(branch) == 0
        assert len(self.session.feeds) == feeds
        assert self.chat.turns == branch

    @precondition(lambda self: self.open is None)
    @rule(kind=st.sampled_from(KINDS), limit=st.sampled_from([40, 90, 1000]), stop=st.booleans())
    def move_to_another_model(
        self, kind: tuple[Tokenizer, ChatTemplate], limit: int, stop: bool
    ) -> None:
        turns = list(self.chat.turns)
        self.moves += 1
        self.tokenizer, self.template = kind
        model = fake_model(self.tokenizer, self.template)
        model.__dict__["sha256"] = f"{self.moves:064}"
        session = FakeSession(model, self.babble)
        chat = Chat(
            session,
            sampling=Sampler(temperature=0.3, seed=1),
            max_tokens=12,
            system=self.system,
            context_limit=limit,
        )
        if stop and turns:
            cancel = threading.Event()
            cancel.set()
            try:
                chat.resume(turns, cancel=cancel)
            except Cancelled:
                assert (chat.turns, session.history) == ([], ())
        fed = chat.resume(turns)
        assert fed == session.position <= limit
        assert [(turn.user, turn.assistant) for turn in chat.turns] == [
            (turn.user, turn.assistant) for turn in turns
        ]
        self.session, self.chat, self.branches = session, chat, []
        # Their text is another model's, which has other ways to end an answer.
        self.foreign += chat.turns

    @rule()
    def reset(self) -> None:
        self.open = None
        self.chat.reset()
        assert (self.session.position, self.chat.turns) == (0, [])

    @invariant()
    def state_equals_one_long_feed(self) -> None:
        """Of the ids of all turns that the model still knows."""
        if not hasattr(self, "chat") or self.open is not None:
            return
        ids = self.known_ids()
        assert list(self.session.history) == ids
        assert self.session.hidden.tolist() == state_after(self.session, ids)
        if self.chat.turns:
            assert self.chat.turns[-1].stats.context_used == len(ids)
            assert same(self.chat.turns[-1].after, self.session.snapshot())

    @invariant()
    def text_equals_ids(self) -> None:
        if not hasattr(self, "chat"):
            return
        closing = self.template.assistant[1]
        for turn in self.chat.turns:
            if not turn.ids:  # it did not fit when it was fed again
                continue
            # A cut character would swallow what closes the answer.
            said = self.tokenizer.decode(turn.ids[turn.question_tokens :], skip_control=False)
            assert "\ufffd" in said or said.removeprefix(" ") == (
                (turn.assistant + closing).removeprefix(" ")
            )
            if not any(turn is other for other in self.foreign):
                assert not any(stop in turn.assistant for stop in self.template.stop)

    def known_ids(self) -> list[int]:
        """What was fed for the known turns, written by hand for each template."""
        if not self.chat.turns:
            return []
        known = self.chat.turns[self.chat.turns[-1].context_start :]
        ids: list[int] = []
        for index, turn in enumerate(known):
            said = f"{self.system}\n{turn.user}" if self.system and index == 0 else turn.user
            ids += self.question(said, first=index == 0)
            ids += turn.ids[turn.question_tokens :]
        return ids

    def question(self, said: str, *, first: bool) -> list[int]:
        if self.template is MARKED:
            return [2, *self.tokenizer.encode(said), 3]
        text = f"User: {said}\nAssistant:"
        return self.tokenizer.encode(text, bos=first, start=first)


TestConversation: Any = pytest.mark.timeout(300)(Conversation.TestCase)
TestConversation.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
