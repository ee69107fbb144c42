"""The app in a real terminal with a real process behind it: kill -9, resume, replug."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

from edge_sdk.history.store import History
from tests.cli.screen import ScreenTerminal

APP = [sys.executable, "-m", "edge_sdk", "chat"]


def test_kill_9_loses_only_the_unfinished_answer(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    slow = {"SCRIPT_ANSWER": "word " * 40, "SCRIPT_DELAY": "0.05", "SCRIPT_SLOW_FROM": "2"}
    with ScreenTerminal(APP, command_environment | slow, tmp_path) as terminal:
        terminal.until("Ask anything")
        terminal.send("first\r")
        terminal.until("200 tokens")
        terminal.send("second\r")
        terminal.until("word", after="second")
        os.kill(terminal.process.pid, signal.SIGKILL)
        terminal.end()
    history = History()
    (entry,) = history.conversations()
    saved = history.load(entry.key)
    assert [node.turn.user for node in saved.tree.path] == ["first"]
    assert saved.tree.path[0].turn.assistant == "word " * 40
    assert saved.draft == "second"
    history.close()
    with ScreenTerminal([*APP, "--resume"], command_environment, tmp_path) as terminal:
        terminal.until("nothing re-fed")
        terminal.send("\r")
        terminal.until("answer 2")
        terminal.send("\x11")
        assert terminal.end() == 0
        assert "Traceback" not in terminal.text
    history = History()
    assert [node.turn.user for node in history.load(entry.key).tree.path] == ["first", "second"]
    assert history.load(entry.key).draft is None
    history.close()


def test_a_device_that_is_unplugged_and_plugged_in_again(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    unplugged = tmp_path / "unplugged"
    with ScreenTerminal(
        APP, command_environment | {"SCRIPT_UNPLUGGED": str(unplugged)}, tmp_path
    ) as terminal:
        terminal.until("Ask anything")
        terminal.send("first\r")
        terminal.until("answer 1")
        unplugged.touch()
        terminal.send("second\r")
        terminal.until("The script went away")
        terminal.until("waiting for it")
        unplugged.unlink()
        terminal.until("The device is back")
        terminal.send("second\r")
        terminal.until("answer 2")
        terminal.send("\x11")
        assert terminal.end() == 0


def run_small(environment: dict[str, str], folder: Path) -> str:
    """All that a short conversation on 80 x 24 writes to the terminal."""
    with ScreenTerminal(APP, environment | {"COLORTERM": ""}, folder, (80, 24)) as terminal:
        terminal.until("Ask anything")
        terminal.send("hello\r")
        terminal.until("answer 1")
        terminal.send("\x11")
        assert terminal.end() == 0
        return terminal.text


def test_sixteen_colours(command_environment: dict[str, str], tmp_path: Path) -> None:
    text = run_small(command_environment | {"TERM": "xterm-16color"}, tmp_path)
    assert "38;5;" not in text
    assert "38;2;" not in text


def test_no_color_is_shades_of_grey(command_environment: dict[str, str], tmp_path: Path) -> None:
    text = run_small(command_environment | {"NO_COLOR": "1", "TERM": "xterm-256color"}, tmp_path)
    shades = {0, 7, 8, 15, 16, 59, 102, 145, 188, 231, *range(232, 256)}
    assert {int(number) for number in re.findall(r"[34]8;5;(\d+)", text)} <= shades
    assert not re.search(r"\x1b\[[0-9;]*[34]8;2;", text)
