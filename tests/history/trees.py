"""Short ways to keep turns of a chat; nothing here checks anything."""

from __future__ import annotations

from edge_sdk.chat import Chat
from edge_sdk.history.store import History
from edge_sdk.history.tree import Node
from edge_sdk.turns import Turn


def node_of(turn: Turn, parent: Node | None) -> Node:
    node = Node(parent, {turn.after.model: turn}, "fake", "cpu")
    if parent is not None:
        parent.children.append(node)
    return node


def keep(history: History, key: int, turn: Turn, parent: Node | None) -> Node:
    node = node_of(turn, parent)
    history.add(key, node)
    return node


def keep_all(history: History, chat: Chat) -> tuple[int, list[Node]]:
    """All turns of `chat` as a new conversation."""
    key, nodes = history.begin(chat.turns[0].user), list[Node]()
    for turn in chat.turns:
        nodes.append(keep(history, key, turn, nodes[-1] if nodes else None))
    return key, nodes
