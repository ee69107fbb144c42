"""Keeps conversations in one SQLite file: every finished turn with its state, and a search index.

It knows which row holds what; it does not know sessions, nor when something is worth keeping.
Each call is one transaction, synced to the disk: what a call has returned from, survives.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast

from edge_sdk import paths
from edge_sdk.device import State
from edge_sdk.errors import AccessError, ModelRejected, NotFound
from edge_sdk.generation import StopReason
from edge_sdk.history.record import (
    pack_form,
    stats_from_json,
    stats_to_json,
    unpack_form,
)
from edge_sdk.history.schema import connect
from edge_sdk.history.tree import Node, Tree
from edge_sdk.turns import Turn, text_only

TITLE_LENGTH = 60
OPEN, CLOSE = "\x02", "\x03"
"""Stand before and after a found word in `Found.excerpt`."""

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Summary:
    """One conversation in a list."""

    key: int
    title: str
    """The beginning of its first question, or the name that the user gave it."""
    updated: float
    """Seconds since 1970."""
    turns: int
    """In all branches."""
    models: str
    """Names of the models that wrote in it."""
    excerpt: str = ""
    """Where a search found something: the text around, found words between OPEN and CLOSE."""


@dataclass(frozen=True)
class Saved:
    """A conversation as it was left."""

    key: int
    title: str
    tree: Tree
    draft: str | None
    """A question that was being answered when the program ended."""


def default_path() -> Path:
    """Where the history of this user is."""
    return paths.state_dir() / "history.db"


def _guarded(
    method: Callable[Concatenate[History, P], R],
) -> Callable[Concatenate[History, P], R]:
    """One call at a time, and SQLite's errors as a sentence."""

    @wraps(method)
    def call(self: History, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with self._turn:
                return method(self, *args, **kwargs)
        except sqlite3.Error as error:
            raise AccessError(
                f"the history {str(self.path)!r} could not be used: {error}.",
                hint="check that the disk has space and is writable.",
            ) from error

    return cast("Callable[Concatenate[History, P], R]", call)


class History:
    """The history file, open. Calls from several threads take turns."""

    def __init__(self, path: Path | None = None) -> None:
        """Open or make it; raises AccessError or Rejected (see edge_sdk.history.schema)."""
        self.path = default_path() if path is None else path
        self._turn = threading.RLock()
        self._db = connect(self.path)

    @_guarded
    def begin(self, question: str) -> int:
        """Make a conversation whose first question is being answered; its key."""
        now = time.time()
        return self._insert(
            "INSERT INTO conversations(title, created, updated, draft) VALUES (?, ?, ?, ?)",
            (title_of(question), now, now, question),
        )

    @_guarded
    def draft(self, key: int, question: str | None) -> None:
        """Keep a question that is being answered; None when it is answered or given up."""
        self._db.execute("UPDATE conversations SET draft = ? WHERE id = ?", (question, key))

    @_guarded
    def add(self, key: int, node: Node) -> None:
        """Keep `node` as the head of conversation `key`, and drop the draft; sets `node.key`."""
        turn, parent = node.turn, node.parent.key if node.parent else None
        with self._transaction():
            node.key = self._insert(
                "INSERT INTO turns(conversation, parent, question, answer, model, device, created,"
                " stop_reason, stats) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    parent,
                    turn.user,
                    turn.assistant,
                    node.model,
                    node.device,
                    node.created,
                    turn.stop_reason,
                    stats_to_json(turn.stats),
                ),
            )
            self._put_form(node.key, turn)
            self._db.execute(
                "UPDATE conversations SET head = ?, updated = ?, draft = NULL WHERE id = ?",
                (node.key, time.time(), key),
            )

    @_guarded
    def put_forms(self, nodes: list[Node], model: str) -> None:
        """Keep what the model with hash `model` made of `nodes`."""
        with self._transaction():
            for node in nodes:
                if node.key is not None and model in node.forms:
                    self._put_form(node.key, node.forms[model])

    @_guarded
    def set_head(self, key: int, head: Node | None) -> None:
        """Keep after which turn one goes on."""
        self._db.execute(
            "UPDATE conversations SET head = ? WHERE id = ?", (head.key if head else None, key)
        )

    @_guarded
    def rename(self, key: int, title: str) -> None:
        """Give a conversation another title; blank ones change nothing."""
        if title.strip():
            self._db.execute(
                "UPDATE conversations SET title = ? WHERE id = ?", (title_of(title), key)
            )

    @_guarded
    def delete(self, key: int) -> None:
        """Remove a conversation for good."""
        self._db.execute("DELETE FROM conversations WHERE id = ?", (key,))

    @_guarded
    def conversations(self, limit: int = 200) -> list[Summary]:
        """The conversations, last used first."""
        rows = self._db.execute(
            "SELECT c.id, c.title, c.updated, count(t.id), group_concat(DISTINCT t.model)"
            " FROM conversations c LEFT JOIN turns t ON t.conversation = c.id"
            " GROUP BY c.id ORDER BY c.updated DESC, c.id DESC LIMIT ?",
            (limit,),
        )
        return [
            Summary(key, title, updated, turns, models or "")
            for key, title, updated, turns, models in rows
        ]

    @_guarded
    def search(self, text: str, limit: int = 200) -> list[Summary]:
        """The conversations with a turn that has words beginning like all of `text`'s words.

        Upper and lower case and accents do not matter; the best match comes first.
        """
        words = [word.replace('"', "") for word in text.replace("\x00", "").split()]
        query = " ".join(f'"{word}"*' for word in words if word)
        if not query:
            return self.conversations(limit)
        rows = self._db.execute(
            "SELECT c.id, c.title, c.updated,"
            " (SELECT count(*) FROM turns n WHERE n.conversation = c.id), t.model,"
            f" snippet(words, -1, '{OPEN}', '{CLOSE}', ' … ', 12)"
            " FROM words JOIN turns t ON t.id = words.rowid"
            " JOIN conversations c ON c.id = t.conversation"
            " WHERE words MATCH ? ORDER BY words.rank, t.id DESC LIMIT ?",
            (query, 5 * limit),
        )
        found: dict[int, Summary] = {}
        for row in rows:
            found.setdefault(row[0], Summary(*row))
        return list(found.values())[:limit]

    @_guarded
    def load(self, key: int) -> Saved:
        """A conversation with all branches; raises NotFound.

        A state that cannot be read is left out: its turns are then fed again as text.
        """
        found = self._db.execute(
            "SELECT title, head, draft FROM conversations WHERE id = ?", (key,)
        ).fetchone()
        if found is None:
            raise NotFound(
                f"there is no conversation {key} in the history.",
                hint="choose one that is listed; it may have been deleted meanwhile.",
            )
        title, head, draft = found
        tree, nodes = Tree(), dict[int, Node]()
        rows = self._db.execute(
            "SELECT id, parent, question, answer, model, device, created, stop_reason, stats"
            " FROM turns WHERE conversation = ? ORDER BY id",
            (key,),
        )
        for number, parent, question, answer, model, device, created, reason, stats in rows:
            above = nodes.get(parent)
            text = (question, answer, reason)
            forms = {} if parent is not None and above is None else self._forms(number, text, stats)
            node = Node(above, _with_before(forms, above), model, device, created, number)
            if not node.forms:
                node.forms[""] = text_only(
                    question, answer, cast(StopReason, reason), stats_from_json(stats)
                )
            tree.attach(node)
            nodes[number] = node
        tree.head = nodes.get(head)
        return Saved(key, title, tree, draft)

    @_guarded
    def questions(self, limit: int = 200) -> list[str]:
        """The last different questions of all conversations, oldest first."""
        rows = self._db.execute(
            "SELECT question FROM turns GROUP BY question ORDER BY max(id) DESC LIMIT ?", (limit,)
        )
        return [question for (question,) in rows][::-1]

    @_guarded
    def newest(self) -> int | None:
        """The key of the conversation that was used last."""
        row = self._db.execute(
            "SELECT id FROM conversations ORDER BY updated DESC, id DESC LIMIT 1"
        ).fetchone()
        return None if row is None else int(row[0])

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            self._db.close()

    def _forms(self, number: int, text: tuple[str, str, str], stats: str) -> dict[str, Turn]:
        forms: dict[str, Turn] = {}
        rows = self._db.execute("SELECT model, form FROM forms WHERE turn = ?", (number,))
        for model, data in rows:
            try:
                turn = unpack_form(data, *text, stats_from_json(stats))
            except ModelRejected:
                continue
            if turn.after.model == model:
                forms[model] = turn
        return forms

    def _put_form(self, number: int, turn: Turn) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO forms(turn, model, form) VALUES (?, ?, ?)",
            (number, turn.after.model, pack_form(turn)),
        )

    def _insert(self, statement: str, values: tuple[object, ...]) -> int:
        return int(self._db.execute(statement, values).lastrowid or 0)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def title_of(question: str) -> str:
    """The first line of a question, cut to the length of a title."""
    line = " ".join(question.strip().split("\n")[0].split()) or "untitled"
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def _with_before(forms: dict[str, Turn], parent: Node | None) -> dict[str, Turn]:
    """Give each form the state before the turn: the one after the turn above it."""
    known: dict[str, Turn] = {}
    for model, turn in forms.items():
        if parent is None:
            zero = State(model, 0, 0 * turn.after.hidden)
            known[model] = replace(turn, before=zero)
        elif model in parent.forms:
            known[model] = replace(turn, before=parent.forms[model].after)
    return known
