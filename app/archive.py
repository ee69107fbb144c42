"""The conversation with its branches, and its copy in the history file.

It knows when something is worth keeping; it does not know sessions, nor how a file is written.
Where the file cannot be used, the conversation goes on in memory, and that is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge_sdk.errors import EdgeError
from edge_sdk.history.store import History, Saved, title_of
from edge_sdk.history.tree import Node, Tree, forms, path_to
from edge_sdk.turns import Turn


class Archive:
    """The tree that the chat's turns are a path of."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self.history: History | None = None
        """None before it is opened, and where it cannot be used."""
        self.tree = Tree()
        self.key: int | None = None
        """Number of the conversation in the file; None before its first question."""
        self.title = ""

    def open(self, open_history: Callable[[], History]) -> None:
        """Open the history file."""
        self._try(lambda: setattr(self, "history", open_history()))

    @property
    def path(self) -> list[Node]:
        """The turns from the first to the head."""
        return self.tree.path

    def asked(self, question: str) -> None:
        """A question is being answered."""
        self.title = self.title or title_of(question)
        history = self.history
        if history is None:
            return
        if self.key is None:
            self._try(lambda: setattr(self, "key", history.begin(question)))
        else:
            self._try(lambda: history.draft(self._key, question))

    def settled(self, turns: Sequence[Turn], model: str, device: str) -> Node | None:
        """The answer ended; `turns` is the conversation now. The node of a new turn, or None."""
        path = self.path
        known = 0
        while known < min(len(path), len(turns)) and _is_form(path[known], turns[known]):
            known += 1
        if known == len(turns):
            self._gave_up()
            return None
        node = None
        for turn in turns[known:]:
            parent = node or (path[known - 1] if known else None)
            node = self.tree.add(turn, parent, model=model, device=device)
            self._keep(node)
        return node

    def moved(self, head: Node | None, turns: Sequence[Turn], model: str, fed: int) -> None:
        """The conversation goes on after `head`; `turns` are its forms for the model."""
        self.tree.head = head
        path = self.path
        if fed:
            for node, turn in zip(path, turns, strict=True):
                node.forms[model] = turn
        history = self.history
        if history is None or self.key is None:
            return
        if fed:
            self._try(lambda: history.put_forms(path, model))
        self._try(lambda: history.set_head(self._key, head))

    def turns(self, model: str, head: Node | None) -> list[Turn]:
        """The turns up to `head` as the model with hash `model` knows them, where it does."""
        return forms(path_to(head), model)

    def begin(self) -> None:
        """A new conversation; the file hears of it with its first question."""
        self.tree, self.key, self.title = Tree(), None, ""

    def newest(self) -> int | None:
        """The key of the conversation that was used last."""
        return self.history.newest() if self.history is not None else None

    def load(self, key: int) -> Saved:
        """A conversation of the file; raises EdgeError."""
        if self.history is None:
            raise EdgeError("the history cannot be used.", hint="restart; the app then says why.")
        return self.history.load(key)

    @property
    def place(self) -> tuple[int | None, Tree, str]:
        """What `take` would bring back."""
        return self.key, self.tree, self.title

    def take(self, key: int | None, tree: Tree, title: str) -> None:
        """Go on with another conversation."""
        self.key, self.tree, self.title = key, tree, title

    def close(self) -> None:
        """Close the file."""
        if self.history is not None:
            self.history.close()

    @property
    def _key(self) -> int:
        assert self.key is not None
        return self.key

    def _keep(self, node: Node) -> None:
        history = self.history
        if history is not None and self.key is not None:
            self._try(lambda: history.add(self._key, node))

    def _gave_up(self) -> None:
        history = self.history
        if history is None or self.key is None:
            return
        if any(True for _ in self.tree.nodes()):
            self._try(lambda: history.draft(self._key, None))
        else:
            # Nothing was ever answered in it.
            self._try(lambda: history.delete(self._key))
            self.begin()

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except EdgeError as error:
            # From here on in memory: a row whose parent is missing could not be kept either.
            self.history = None
            hint = f" {error.hint}" if error.hint else ""
            self._warn(f"This conversation is not kept: {error.message}{hint}")


def _is_form(node: Node, turn: Turn) -> bool:
    """By identity: turns hold arrays, which do not compare to one truth."""
    return any(turn is form for form in node.forms.values())
