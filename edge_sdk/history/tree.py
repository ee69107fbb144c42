"""A conversation with all its branches: what was undone, asked differently or answered anew stays.

It knows turns and how they follow each other; it does not know sessions or files.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edge_sdk.turns import Turn


@dataclass(eq=False)
class Node:
    """A turn at its place in the tree."""

    parent: Node | None
    forms: dict[str, Turn]
    """The turn as each model knows it, by the model's hash: same text, other ids and states."""
    model: str = ""
    """Name of the model that wrote the answer."""
    device: str = ""
    """URI of the device that it ran on."""
    created: float = field(default_factory=time.time)
    """Seconds since 1970."""
    key: int | None = None
    """Its number in the file, once it is there."""
    children: list[Node] = field(default_factory=list)
    """What followed, oldest first."""

    def form(self, model: str) -> Turn:
        """The turn as the model with hash `model` knows it, else as another one does."""
        return self.forms.get(model) or next(iter(self.forms.values()))

    @property
    def turn(self) -> Turn:
        """The turn in any form: for its text."""
        return next(iter(self.forms.values()))


class Tree:
    """Nodes from the first questions on, and the head: the turn after which one goes on."""

    def __init__(self) -> None:
        self.roots: list[Node] = []
        self.head: Node | None = None
        """None before the first turn, and where all turns are undone."""

    def add(self, turn: Turn, parent: Node | None, *, model: str = "", device: str = "") -> Node:
        """Put `turn` behind `parent`; it becomes the head."""
        node = Node(parent, {turn.after.model: turn}, model, device)
        self.attach(node)
        self.head = node
        return node

    def attach(self, node: Node) -> None:
        """Make `node`, whose parent is in the tree, a part of it."""
        self.siblings(node).append(node)

    def siblings(self, node: Node) -> list[Node]:
        """All turns at the place of `node`, itself among them, oldest first."""
        return self.roots if node.parent is None else node.parent.children

    @property
    def path(self) -> list[Node]:
        """The turns from the first to the head: the conversation as it is read."""
        return path_to(self.head)

    def neighbour(self, node: Node, step: int) -> Node | None:
        """The end of the branch `step` places beside `node`'s, or None where there is none."""
        siblings = self.siblings(node)
        place = siblings.index(node) + step
        return newest_end(siblings[place]) if 0 <= place < len(siblings) else None

    def redo(self) -> Node | None:
        """The newest turn behind the head: the one that was undone last."""
        following = self.roots if self.head is None else self.head.children
        return following[-1] if following else None

    def nodes(self) -> Iterator[Node]:
        """All turns, parents first."""
        waiting = list(self.roots)
        while waiting:
            node = waiting.pop(0)
            yield node
            waiting += node.children


def path_to(node: Node | None) -> list[Node]:
    """The turns from the first to `node`."""
    path: list[Node] = []
    while node is not None:
        path.append(node)
        node = node.parent
    return path[::-1]


def newest_end(node: Node) -> Node:
    """The last turn of the branch that goes on with the newest child each time."""
    while node.children:
        node = node.children[-1]
    return node


def forms(path: Sequence[Node], model: str) -> list[Turn]:
    """The turns of `path` as the model with hash `model` knows them, where it does."""
    return [node.form(model) for node in path]
