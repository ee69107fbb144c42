"""Kept on a real device, a conversation goes on with the very tokens it would have had."""

from __future__ import annotations

from pathlib import Path

import edge_sdk
from edge_sdk.history.store import History
from edge_sdk.history.tree import forms
from tests.fake_session import same
from tests.history.trees import keep_all

GREEDY = edge_sdk.Sampler(temperature=0.0)


def test_after_a_restart_the_answer_is_the_same(tiny_chat_model: Path, tmp_path: Path) -> None:
    with (
        edge_sdk.load_model(tiny_chat_model) as model,
        edge_sdk.open_device("cpu") as device,
    ):
        chat = edge_sdk.Chat(device.load(model), sampling=GREEDY, max_tokens=12)
        list(chat.ask("one"))
        list(chat.ask("two"))
        history = History(tmp_path / "h.db")
        key, _ = keep_all(history, chat)
        history.close()
        expected = "".join(chat.ask("three"))
    with (
        edge_sdk.load_model(tiny_chat_model) as model,
        edge_sdk.open_device("cpu") as device,
    ):
        history = History(tmp_path / "h.db")
        turns = forms(history.load(key).tree.path, model.sha256)
        resumed = edge_sdk.Chat(device.load(model), sampling=GREEDY, max_tokens=12)
        assert resumed.resume(turns) == 0
        assert same(resumed.session.snapshot(), chat.turns[1].after)
        assert "".join(resumed.ask("three")) == expected
        assert expected
        history.close()
