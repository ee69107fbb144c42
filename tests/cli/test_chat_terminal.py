"""`edge-sdk chat` on a terminal: lines with --plain, else the app."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import pytest

from edge_sdk.cli import chat
from tests.cli.terminal import Terminal

PLAIN = [sys.executable, "-m", "edge_sdk", "chat", "--plain"]


def test_a_conversation_of_lines(command_environment: dict[str, str], tmp_path: Path) -> None:
    with Terminal(PLAIN, command_environment, tmp_path) as terminal:
        terminal.expect("tiny on script (a script); /help")
        terminal.expect("> ")
        terminal.send("hello\n")
        terminal.expect("answer 1\nscript · ")
        terminal.expect("> ")
        terminal.send("\n")
        terminal.expect("> ")
        terminal.send("again\n")
        terminal.expect("answer 2\n")
        terminal.send("/undo\n")
        terminal.expect("took the last turn back")
        terminal.send("once more\n")
        terminal.expect("answer 2\n")
        terminal.send("/new\n")
        terminal.expect("a new conversation")
        terminal.send("hello\n")
        terminal.expect("answer 1\n")
        terminal.send("/help\n")
        terminal.expect("/quit  end")
        terminal.send("/what\n")
        terminal.expect("there is no command /what")
        terminal.send(" /what\n")
        terminal.expect("answer 2\n")
        terminal.send("/quit\n")

        assert terminal.end() == 0
        assert "\x1b" not in terminal.text


def test_answers_are_written_again_and_questions_edited(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    with Terminal(PLAIN, command_environment, tmp_path) as terminal:
        terminal.expect("> ")
        terminal.send("/again\n")
        terminal.expect("there is no answer to write again")
        terminal.expect("> ")
        terminal.send("/edit hello\n")
        terminal.expect("there is no answer to write again")
        terminal.expect("> ")
        terminal.send("hello\n")
        terminal.expect("answer 1\n")
        terminal.send("again\n")
        terminal.expect("answer 2\n")
        terminal.send("/again\n")
        terminal.expect("answer 2\n")
        terminal.send("/edit once more\n")
        terminal.expect("answer 2\n")
        terminal.send("/more\n")
        terminal.expect("answer 2")
        terminal.expect("> ")
        terminal.send("/edit \n")
        terminal.expect("the prompt is empty")
        terminal.expect("> ")
        terminal.send("next\n")
        terminal.expect("answer 3\n")


def test_ctrl_d_ends(command_environment: dict[str, str], tmp_path: Path) -> None:
    with Terminal(PLAIN, command_environment, tmp_path) as terminal:
        terminal.expect("> ")
        terminal.send("\x04")

        assert terminal.end() == 0


def test_an_error_is_a_sentence_and_not_the_end(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    with Terminal(PLAIN, command_environment, tmp_path) as terminal:
        terminal.expect("> ")
        terminal.send("/undo\n")
        terminal.expect("there is no turn to take back")
        terminal.expect("> ")
        terminal.send("\x01\n")
        terminal.expect("edge-sdk: ")
        terminal.expect("> ")
        terminal.send("hello\n")
        terminal.expect("answer 1\n")


def test_ctrl_c_stops_the_answer_then_the_program(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    environment = command_environment | {"SCRIPT_ANSWER": "word " * 400, "SCRIPT_DELAY": "0.02"}
    with Terminal(PLAIN, environment, tmp_path) as terminal:
        terminal.expect("> ")
        terminal.send("hello\n")
        terminal.expect("word word")
        terminal.send("\x03")
        terminal.expect("tok/s")
        terminal.expect("> ")
        terminal.send("/undo\n")
        terminal.expect("took the last turn back")
        terminal.expect("> ")
        terminal.send("\x03")

        assert terminal.end() == 130
        assert "Traceback" not in terminal.text


def test_a_dumb_terminal_gets_lines(command_environment: dict[str, str], tmp_path: Path) -> None:
    command = [word for word in PLAIN if word != "--plain"]
    with Terminal(command, command_environment | {"TERM": "dumb"}, tmp_path) as terminal:
        terminal.expect("> ")
        terminal.send("hello\n")
        terminal.expect("answer 1\n")


def test_the_app_opens_where_it_can_draw(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    command = [word for word in PLAIN if word != "--plain"]
    environment = command_environment | {"COLUMNS": "100", "LINES": "30"}
    with Terminal(command, environment, tmp_path) as terminal:
        terminal.expect("\x1b[?1049h")
        terminal.expect("script")
        terminal.send("\x11")

        assert terminal.end() == 0
        terminal.expect("\x1b[?1049l")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_killed_the_app_gives_the_terminal_back(
    number: signal.Signals, command_environment: dict[str, str], tmp_path: Path
) -> None:
    command = [word for word in PLAIN if word != "--plain"]
    with Terminal(command, command_environment, tmp_path) as terminal:
        terminal.expect("\x1b[?1049h")
        terminal.expect("script")
        terminal.process.send_signal(number)

        assert terminal.end() == 128 + number
        terminal.expect("\x1b[?1049l")
        assert "Traceback" not in terminal.text


@pytest.mark.parametrize(
    ("options", "terminal", "term", "expected"),
    [
        ({}, True, "xterm", True),
        ({}, False, "xterm", False),
        ({}, True, "dumb", False),
        ({"plain": True}, True, "xterm", False),
        ({"json": True}, True, "xterm", False),
        ({"prompt": ["hi"]}, True, "xterm", False),
    ],
)
def test_the_app_opens_only_where_it_can_draw(
    options: dict[str, object],
    terminal: bool,
    term: str,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", term)
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(getattr(sys, stream), "isatty", lambda: terminal, raising=False)
    args = {"plain": False, "json": False, "prompt": [], **options}

    assert chat.wants_app(argparse.Namespace(**args)) is expected
