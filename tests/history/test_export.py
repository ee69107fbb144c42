"""A conversation as Markdown and as JSON."""

from __future__ import annotations

import json

from edge_sdk.history.export import to_json, to_markdown
from edge_sdk.history.tree import Node
from edge_sdk.telemetry import Provenance, Reading
from tests.fake_session import talk
from tests.history.trees import node_of


def conversation() -> list[Node]:
    chat, _ = talk(
        "A **bird**.", power=lambda: Reading(3.0, "W", Provenance.ESTIMATED, "a model", "board")
    )
    list(chat.ask("What is\na tern?"))
    list(chat.ask("Sure?"))
    first = node_of(chat.turns[0], None)
    return [first, node_of(chat.turns[1], first)]


def test_markdown() -> None:
    text = to_markdown("Terns", conversation())
    assert text.startswith("# Terns\n\n> What is\n> a tern?\n\nA **bird**.\n\n*fake on cpu · ")
    assert "J/token (estimated, a model)*" in text
    assert text.endswith("*\n")


def test_json_has_messages_and_figures() -> None:
    value = json.loads(to_json("Terns", conversation()))
    assert value["messages"][:2] == [
        {"role": "user", "content": "What is\na tern?"},
        {"role": "assistant", "content": "A **bird**."},
    ]
    turn = value["turns"][1]
    assert (turn["question"], turn["model"], turn["device"]) == ("Sure?", "fake", "cpu")
    assert turn["stats"]["answer_tokens"] == len("A **bird**.")
    assert turn["stats"]["energy"]["provenance"] == "estimated"
