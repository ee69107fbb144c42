"""The tables of the history file, and how an older file becomes a newer one.

It knows SQL; it does not know what a conversation is.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from edge_sdk import paths
from edge_sdk.errors import AccessError, Rejected

MIGRATIONS = (
    # 1: conversations, their turns, and what each model made of a turn
    """
    CREATE TABLE conversations (
        id INTEGER PRIMARY KEY,
        title TEXT NOT NULL,
        created REAL NOT NULL,
        updated REAL NOT NULL,
        head INTEGER,
        draft TEXT
    ) STRICT;
    CREATE INDEX conversations_updated ON conversations(updated);
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
        parent INTEGER REFERENCES turns(id) ON DELETE CASCADE,
        question TEXT NOT NULL,
        answer TEXT NOT NULL,
        model TEXT NOT NULL,
        device TEXT NOT NULL,
        created REAL NOT NULL,
        stop_reason TEXT NOT NULL,
        stats TEXT NOT NULL
    ) STRICT;
    CREATE INDEX turns_conversation ON turns(conversation);
    CREATE INDEX turns_parent ON turns(parent);
    CREATE TABLE forms (
        turn INTEGER NOT NULL REFERENCES turns(id) ON DELETE CASCADE,
        model TEXT NOT NULL,
        form BLOB NOT NULL,
        PRIMARY KEY (turn, model)
    ) STRICT, WITHOUT ROWID;
    """,
    # 2: full-text search
    """
    CREATE VIRTUAL TABLE words USING fts5(
        question, answer, content='turns', content_rowid='id',
        tokenize='unicode61 remove_diacritics 2', prefix='2 3'
    );
    CREATE TRIGGER turns_added AFTER INSERT ON turns BEGIN
        INSERT INTO words(rowid, question, answer) VALUES (new.id, new.question, new.answer);
    END;
    CREATE TRIGGER turns_removed AFTER DELETE ON turns BEGIN
        INSERT INTO words(words, rowid, question, answer)
        VALUES ('delete', old.id, old.question, old.answer);
    END;
    INSERT INTO words(words) VALUES ('rebuild');
    """,
)
"""Each brings a file from one version (`PRAGMA user_version`) to the next; never changed later."""

VERSION = len(MIGRATIONS)
BUSY_SECONDS = 5.0
"""How long a write waits for another program that writes."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, made new or brought to the current version; mode 0600.

    Raises AccessError where it cannot be opened, Rejected where it is no history of ours or one
    of a newer Edge SDK.
    """
    paths.ensure(path.parent)
    try:
        # SQLite gives its own two files beside it the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
    except (OSError, sqlite3.OperationalError) as error:
        raise AccessError(
            f"the history {str(path)!r} could not be opened: {error}.",
            hint=f"make it writable, or set {paths.HOME_VARIABLE} to another folder.",
        ) from error
    try:
        _prepare(connection, path)
    except sqlite3.OperationalError as error:
        connection.close()
        raise AccessError(
            f"the history {str(path)!r} could not be used: {error}.",
            hint="close other programs that use it; it needs SQLite 3.37 or newer with FTS5.",
        ) from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise Rejected(
            f"{str(path)!r} is damaged or no history of Edge SDK: {error}.",
            hint="move it aside; a new one is begun.",
        ) from error
    except Rejected:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # A write-ahead log, synced at each commit: neither kill -9 nor a power cut loses a turn.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection, path)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the tables to the current version, all at once or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            raise Rejected(
                f"the history {str(path)!r} has version {version}; expected at most {VERSION}.",
                hint="update Edge SDK, or set EDGE_SDK_HOME to another folder.",
            )
        for script in MIGRATIONS[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(script: str) -> list[str]:
    """The statements of a script; executescript would commit before the first of them."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    return found
