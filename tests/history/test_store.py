"""What is kept comes back exactly, whatever happens in between."""

from __future__ import annotations

import random
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.chat import Chat
from edge_sdk.errors import AccessError, NotFound, Rejected
from edge_sdk.history import schema
from edge_sdk.history.store import CLOSE, OPEN, History, default_path, title_of
from edge_sdk.history.tree import Node, forms, newest_end
from edge_sdk.telemetry import Provenance, Reading
from tests.fake_session import FakeSession, same, scripted, talk
from tests.history.trees import keep, keep_all

ROOT = Path(__file__).parents[2]


@pytest.fixture
def history() -> Iterator[History]:
    opened = History()
    yield opened
    opened.close()


def reopened(history: History) -> History:
    history.close()
    return History(history.path)


def watts() -> Reading:
    return Reading(3.0, "W", Provenance.ESTIMATED, "a model", "board")


def test_a_conversation_comes_back_as_it_was(history: History) -> None:
    chat, session = talk("one", "two", power=watts)
    list(chat.ask("first"))
    list(chat.ask("second"))
    key, _ = keep_all(history, chat)
    history = reopened(history)
    saved = history.load(key)
    turns = forms(saved.tree.path, session.model.sha256)
    for kept, turn in zip(turns, chat.turns, strict=True):
        assert same(kept.before, turn.before)
        assert same(kept.after, turn.after)
        assert replace(kept, before=turn.before, after=turn.after, stats=turn.stats) == turn
        energy = replace(turn.stats.energy, timestamp=0.0)
        assert replace(kept.stats.energy, timestamp=0.0) == energy
        assert replace(kept.stats, meter=turn.stats.meter) == turn.stats
    assert (saved.title, saved.draft) == ("first", None)
    assert [(node.model, node.device) for node in saved.tree.path] == [("fake", "cpu")] * 2
    # The state itself is there: the conversation goes on and nothing is fed again.
    other = FakeSession(session.model, scripted("one", "two", "three"))
    other._histories = session._histories
    resumed = Chat(other)
    assert resumed.resume(turns) == 0
    assert other.history == session.history


def test_branches_and_the_head_come_back(history: History) -> None:
    chat, _ = talk("one", "two", "three")
    list(chat.ask("a"))
    list(chat.ask("b"))
    key, (first, second) = keep_all(history, chat)
    list(chat.edit(1, "B"))
    third = keep(history, key, chat.turns[-1], first)
    history.set_head(key, second)
    history = reopened(history)
    tree = history.load(key).tree
    assert [node.turn.user for node in tree.path] == ["a", "b"]
    assert tree.head is not None
    other = tree.neighbour(tree.head, 1)
    assert other is not None
    assert (other.turn.user, other.key) == ("B", third.key)
    assert tree.neighbour(tree.head, -1) is None
    assert newest_end(tree.roots[0]) is other
    assert [node.key for node in tree.nodes()] == [first.key, second.key, third.key]
    history.set_head(key, None)
    assert history.load(key).tree.head is None
    assert history.load(key).tree.redo() is not None


def test_forms_of_several_models_are_kept_side_by_side(history: History) -> None:
    chat, session = talk("one")
    list(chat.ask("a"))
    key, (node,) = keep_all(history, chat)
    turn = node.turn
    other = replace(turn, after=replace(turn.after, model="other"), ids=(9, 9, 9))
    node.forms["other"] = replace(other, question_tokens=1, closing_tokens=1)
    history.put_forms([node], "other")
    loaded = history.load(key).tree.path[0]
    assert loaded.form("other").ids == (9, 9, 9)
    assert loaded.form(session.model.sha256).ids == turn.ids
    assert loaded.form("unknown").user == "a"


@pytest.mark.parametrize("form", [b"", b"\x00", b"\x80", b"\xc1" * 50])
def test_a_damaged_state_costs_the_state_only(history: History, form: bytes) -> None:
    chat, session = talk("one", "two")
    list(chat.ask("a"))
    list(chat.ask("b"))
    key, (first, _) = keep_all(history, chat)
    history._db.execute("UPDATE forms SET form = ? WHERE turn = ?", (form, first.key))
    turns = forms(history.load(key).tree.path, session.model.sha256)
    assert [(turn.user, turn.assistant) for turn in turns] == [("a", "one"), ("b", "two")]
    fresh = FakeSession(session.model)
    assert Chat(fresh).resume(turns) == session.position, "the text is fed again"
    assert fresh.history == session.history


def test_a_draft_is_kept_until_it_is_answered(history: History) -> None:
    chat, _ = talk("one")
    key = history.begin("what is?")
    history = reopened(history)
    assert history.load(key).draft == "what is?"
    list(chat.ask("what is?"))
    keep(history, key, chat.turns[0], None)
    assert history.load(key).draft is None
    history.draft(key, "and then?")
    assert history.load(key).draft == "and then?"
    history.draft(key, None)
    assert history.load(key).draft is None


def test_lists_and_names(history: History) -> None:
    assert history.newest() is None
    chat, _ = talk("one")
    list(chat.ask("a"))
    first, _ = keep_all(history, chat)
    second, _ = keep_all(history, chat)
    assert [entry.key for entry in history.conversations()] == [second, first]
    assert history.newest() == second
    history.rename(first, "  ")
    history.rename(first, "Birds\nof the sea")
    assert history.conversations()[1].title == "Birds"
    assert (history.conversations()[1].turns, history.conversations()[1].models) == (1, "fake")
    history.delete(second)
    assert [entry.key for entry in history.conversations()] == [first]
    assert history._db.execute("SELECT count(*) FROM turns").fetchone() == (1,)
    assert history._db.execute("SELECT count(*) FROM forms").fetchone() == (1,)
    with pytest.raises(NotFound):
        history.load(second)


@pytest.mark.parametrize(
    ("text", "title"),
    [("a\nb", "a"), ("", "untitled"), ("x" * 80, "x" * 59 + "…"), ("  a   b ", "a b")],
)
def test_titles(text: str, title: str) -> None:
    assert title_of(text) == title


def test_words_are_found_wherever_they_stand(history: History) -> None:
    keys = []
    for question, answer in [("sea birds", "A tern."), ("Café?", "Coffee"), ("x", '100% "raw"')]:
        chat, _ = talk(answer)
        list(chat.ask(question))
        keys.append(keep_all(history, chat)[0])
    found = history.search("BIR")
    assert [entry.key for entry in found] == [keys[0]]
    assert found[0].excerpt == f"sea {OPEN}birds{CLOSE}"
    assert [entry.key for entry in history.search("cafe")] == [keys[1]]
    assert [entry.key for entry in history.search('"raw" 100')] == [keys[2]]
    assert [entry.key for entry in history.search("tern sea")] == [keys[0]]
    assert history.search("penguin") == []
    assert len(history.search(" ")) == 3
    for odd in ('"', "'", "AND", "a OR", "NEAR(", "*", "^x", "-x", "question:x", "(", "\x00"):
        history.search(odd)
    history.delete(keys[0])
    assert history.search("birds") == []


def test_an_older_file_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    for statement in schema._statements(schema.MIGRATIONS[0]):
        old.execute(statement)
    old.execute("INSERT INTO conversations VALUES (1, 'old', 1.0, 2.0, 1, NULL)")
    values = (1, 1, None, "an old question", "an old answer", "m", "cpu", 1.0, "stop", "{}")
    old.execute(f"INSERT INTO turns VALUES ({', '.join('?' * 10)})", values)
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    history = History(path)
    assert [entry.title for entry in history.search("old")] == ["old"]
    assert history.load(1).tree.path[0].turn.assistant == "an old answer"
    assert history._db.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "h.db"
    History(path).close()
    broken = "CREATE TABLE extra (id INTEGER);\nCREATE TABLE turns (id INTEGER);\n"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(AccessError):
        History(path)
    monkeypatch.undo()
    history = History(path)
    assert history._db.execute("SELECT 1 FROM sqlite_master WHERE name='extra'").fetchone() is None


def test_a_file_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with sqlite3.connect(path) as new:
        new.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(Rejected, match="version"):
        History(path)


def test_what_is_no_history_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(Rejected, match="damaged"):
        History(path)
    with pytest.raises(AccessError):
        History(tmp_path)


def test_only_the_user_may_read_it(history: History) -> None:
    chat, _ = talk("one")
    list(chat.ask("a"))
    keep_all(history, chat)
    assert history.path == default_path()
    for path in history.path.parent.glob("history.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_is_a_sentence(history: History) -> None:
    history._db.execute("PRAGMA max_page_count = 1")
    chat, _ = talk("one")
    list(chat.ask("a"))
    key = history.begin("a")
    with pytest.raises(AccessError, match="full"):
        keep(history, key, replace(chat.turns[0], assistant="x" * 1_000_000), None)
    assert history.load(key).tree.path == []


def test_two_programs_write_at_the_same_time(history: History) -> None:
    other = History(history.path)
    chat, _ = talk("one")
    list(chat.ask("a"))
    keys = [keep_all(which, chat)[0] for _ in range(5) for which in (history, other)]
    assert sorted(entry.key for entry in other.conversations()) == sorted(keys)
    other.close()


@pytest.mark.parametrize("seed", range(4))
def test_kill_9_loses_nothing_that_was_kept(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "h.db"
    command = [sys.executable, "-m", "tests.history.writer", str(path)]
    writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    lines = [writer.stdout.readline() for _ in range(random.Random(seed).randint(2, 60))]
    writer.send_signal(signal.SIGKILL)
    lines += writer.stdout.readlines()
    writer.wait()
    # The last line may be cut.
    told = [line.split() for line in lines if line.endswith("\n")]
    history = History(path)
    assert history._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for word, key, number in told:
        if word == "kept":
            node = history.load(int(key)).tree.path[int(number)]
            assert node.turn.user == f"question {number}"
            assert np.isfinite(node.turn.after.hidden).all()
            assert node.turn.after.position == sum(len(above.turn.ids) for above in path_down(node))
    word, key, number = told[-1]
    saved = history.load(int(key))
    done = len(saved.tree.path)
    # What was told last may have been followed by one more write that could not be told.
    if word == "draft":
        assert (done, saved.draft) in [
            (int(number), f"question {number}"),
            (int(number) + 1, None),
        ]
    else:
        assert (done, saved.draft) in [
            (int(number) + 1, None),
            (int(number) + 1, f"question {int(number) + 1}"),
        ]
    history.close()


def path_down(node: Node) -> list[Node]:
    above = [node]
    while above[-1].parent is not None:
        above.append(above[-1].parent)
    return above
