"""Any sequence of requests leaves conversation, state, branches and history file in agreement."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_sdk.app.backend import Backend, Options
from edge_sdk.app.events import Event, Failed, Shown
from edge_sdk.app.worker import Worker
from edge_sdk.errors import DeviceDisconnected
from edge_sdk.history.store import History
from edge_sdk.history.tree import Node
from edge_sdk.sampling import Sampler
from tests.app.world import World
from tests.fake_session import state_after

INDEX = st.integers(0, 5)


class Requests(RuleBasedStateMachine):
    """The worker on sessions whose state is an exact function of the ids fed."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.world = World("first", "second\nUser: x", "third answer")
        path = Path(self.folder.name) / "h.db"
        self.world.open_history = lambda: History(path)
        self.events: list[Event] = []
        backend = Backend(
            self.world.open_device,
            self.world.load_model,
            open_history=lambda: self.world.open_history(),
        )
        self.options = Options("fake", "cpu", Sampler(temperature=0.0), 12, context_limit=90)
        self.worker = Worker(self.options, backend, self.events.append)
        self.do(lambda cancel: self.worker.start(cancel, resume=False))
        self.keys: list[int] = []

    def teardown(self) -> None:
        if hasattr(self, "worker"):
            self.worker.close()
            self.folder.cleanup()

    def do(self, request: Any, end: str = "finish") -> None:
        cancel = threading.Event()
        if end == "stop":
            self.world.session.on_feed = lambda ids: cancel.set()
        if end == "lose":

            def gone(ids: Any) -> None:
                raise DeviceDisconnected("gone.")

            self.world.session.on_feed = gone
        self.worker.attempt(lambda: request(cancel))
        for session in self.world.sessions:
            session.on_feed = None

    END = st.sampled_from(["finish", "finish", "stop", "lose"])

    @rule(text=st.text("ab é\n", min_size=1, max_size=5), end=END)
    def ask(self, text: str, end: str) -> None:
        self.do(lambda cancel: self.worker.ask(text, cancel), end)

    @rule(index=INDEX, text=st.none() | st.just("other"), end=END)
    def edit(self, index: int, text: str | None, end: str) -> None:
        self.do(lambda cancel: self.worker.edit(index, text, cancel), end)

    @rule(index=INDEX, text=st.none() | st.just("Well,"), end=END)
    def continue_answer(self, index: int, text: str | None, end: str) -> None:
        self.do(lambda cancel: self.worker.continue_answer(index, text, cancel), end)

    @rule()
    def undo(self) -> None:
        self.do(self.worker.undo)

    @rule()
    def redo(self) -> None:
        self.do(self.worker.redo)

    @rule(index=INDEX)
    def go_back(self, index: int) -> None:
        self.do(lambda cancel: self.worker.go_back(index, cancel))

    @rule(index=INDEX, step=st.sampled_from([-1, 1]))
    def branch(self, index: int, step: int) -> None:
        self.do(lambda cancel: self.worker.branch(index, step, cancel))

    @rule(device=st.sampled_from(["cpu", "cuda:0"]), model=st.sampled_from(["fake", "other"]))
    def switch(self, device: str, model: str) -> None:
        self.do(lambda cancel: self.worker.switch(device, model, cancel))

    @rule(max_tokens=st.integers(1, 12))
    def configure(self, max_tokens: int) -> None:
        options = Options("", "", Sampler(temperature=0.0), max_tokens, context_limit=90)
        self.do(lambda cancel: self.worker.configure(options, cancel))

    @rule()
    def new(self) -> None:
        if self.worker.archive.key is not None:
            self.keys.append(self.worker.archive.key)
        self.do(self.worker.reset)

    @precondition(lambda self: self.keys)
    @rule(which=INDEX)
    def open(self, which: int) -> None:
        key = self.keys[which % len(self.keys)]
        self.do(lambda cancel: self.worker.open(key, cancel))

    @invariant()
    def nothing_unforeseen_happened(self) -> None:
        for event in getattr(self, "events", []):
            if isinstance(event, Failed):
                assert "unexpected" not in event.message, event

    @invariant()
    def the_chat_is_the_path_to_the_head(self) -> None:
        stage = self.stage
        if stage is None:
            return
        path = self.worker.archive.path
        model = stage.model.sha256
        for node, turn in zip(path, stage.chat.turns, strict=True):
            assert node.forms[model] is turn

    @invariant()
    def the_state_is_that_of_the_ids(self) -> None:
        stage = self.stage
        if stage is None:
            return
        session, turns = self.world.session, stage.chat.turns
        if not turns:
            assert session.position == 0
            return
        assert session.position == turns[-1].after.position
        assert session.hidden.tolist() == turns[-1].after.hidden.reshape(4).tolist()
        if turns[-1].context_start == 0:
            ids = [token for turn in turns for token in turn.ids]
            assert session.hidden.tolist() == state_after(session, ids)

    @invariant()
    def the_file_says_the_same(self) -> None:
        if not hasattr(self, "worker"):
            return
        archive = self.worker.archive
        if archive.key is None or archive.history is None:
            assert archive.history is not None, "the history must not have failed"
            return
        saved = archive.history.load(archive.key)
        assert outline(saved.tree.roots) == outline(archive.tree.roots)
        assert [node.key for node in saved.tree.path] == [node.key for node in archive.path]
        assert saved.draft is None

    @invariant()
    def the_screen_was_told(self) -> None:
        shown = [event for event in getattr(self, "events", []) if isinstance(event, Shown)]
        for turn in shown[-1].turns if shown else ():
            assert 0 <= turn.place < turn.places

    @property
    def stage(self) -> Any:
        """What runs; None where it is in no state to be looked at."""
        worker = getattr(self, "worker", None)
        return None if worker is None or worker.lost else worker._stage


def outline(nodes: list[Node]) -> list[Any]:
    return [
        (node.key, node.turn.user, node.turn.assistant, outline(node.children)) for node in nodes
    ]


TestRequests: Any = Requests.TestCase
TestRequests.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
