from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk import __version__, errors
from edge_sdk.cli import VERBS, Parser, build_parser, main
from tests.cli.conftest import Run


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    told = " ".join(capsys.readouterr().out.split())
    for name, summary in VERBS.items():
        assert f"{name} {summary}" in told


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_its_options(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0

    assert f"usage: edge-sdk {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_the_list_says_of_a_verb_what_the_verb_says(verb: str) -> None:
    """The summaries stand twice, because the list must not import the verbs."""
    assert build_parser(verb).format_help() == build_parser().format_help()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"edge-sdk {__version__}\n"


def test_without_a_verb_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == errors.UsageError.exit_code
    assert "verbs:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["chta"], "did you mean `edge-sdk chat`"),
        (["xyzzy"], "the verbs are chat, devices"),
        (["devices", "--jso"], "--jso"),
        (["chat", "--top-k", "many"], "--top-k"),
        (["--verbose"], "--verbose"),
    ],
)
def test_wrong_words_end_with_2_and_a_hint(
    words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("edge-sdk: ")
    assert "\nhint: " in shown.err
    assert part in shown.err


def test_an_error_is_an_object_where_json_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["xyzzy", "--json"]) == 2

    shown = capsys.readouterr()
    assert shown.err == ""
    assert json.loads(shown.out)["error"] == "UsageError"
    assert main(["xyzzy", "--", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_options_cannot_be_abbreviated() -> None:
    parser = Parser(prog="p")
    parser.add_argument("--temperature")

    with pytest.raises(errors.UsageError):
        parser.parse_args(["--temp", "1"])


@pytest.mark.parametrize(
    ("words", "stdin", "kind"),
    [
        (["chat", "--model", "nobody/nothing"], b"hello", "NotFound"),
        (["chat", "--device", "quantum"], b"hello", "DeviceNotFound"),
        (["chat", "--device", "?"], b"hello", "UsageError"),
        (["chat", "--device", "script:memory"], b"hello", "OutOfMemory"),
        (["chat"], b"", "UsageError"),
        (["convert", "nowhere", "there"], b"", "NotFound"),
    ],
)
def test_the_exit_code_is_the_errors(
    run_command: Run, words: list[str], stdin: bytes, kind: str
) -> None:
    plain = run_command(*words, stdin=stdin)
    as_json = run_command(*words, "--json", stdin=stdin)

    assert plain.returncode == as_json.returncode == getattr(errors, kind).exit_code
    assert plain.stdout == b""
    assert b"Traceback" not in plain.stderr
    assert as_json.stderr == b""
    told = json.loads(as_json.stdout)
    assert told["error"] == kind
    hint = f"hint: {told['hint']}\n" if told["hint"] else ""
    assert plain.stderr.decode() == f"edge-sdk: {told['message']}\n{hint}"


def test_a_name_with_escapes_is_shown_inert(run_command: Run) -> None:
    done = run_command("chat", "--model", "\x1b]52;c;aGk=\x07\u202enoisrever", stdin=b"hi")

    assert done.returncode == errors.NotFound.exit_code
    assert b"\x1b" not in done.stderr
    assert b"\x07" not in done.stderr
    assert "\u202e" not in done.stderr.decode()


def test_a_bug_is_one_sentence_and_a_log(run_command: Run, edge_home: Path) -> None:
    done = run_command("chat", "secret", "words", "--device", "script:bug")
    log = edge_home / "state" / "crash.log"

    assert done.returncode == 1
    assert b"this is a bug in Edge SDK (ZeroDivisionError: unforeseen)" in done.stderr
    assert str(log).encode() in done.stderr
    assert b"Traceback" not in done.stderr
    assert "scripted_device.py" in log.read_text()
    assert "secret" not in log.read_text()


def test_a_bug_is_shown_whole_where_that_is_asked_for(run_command: Run) -> None:
    done = run_command("chat", "hi", "--device", "script:bug", EDGE_DEBUG="1")

    assert b"Traceback" in done.stderr


def test_a_bug_without_a_writable_log_still_ends_in_a_sentence(run_command: Run) -> None:
    done = run_command("chat", "hi", "--device", "script:bug", "--json", EDGE_SDK_HOME="/dev/null")

    assert done.returncode == 1
    assert "could not be written" in json.loads(done.stdout)["message"]


def test_a_closed_pipe_ends_quietly(command_environment: dict[str, str], tmp_path: Path) -> None:
    environment = command_environment | {"SCRIPT_ANSWER": "word " * 40, "SCRIPT_DELAY": "0.01"}
    with subprocess.Popen(
        [sys.executable, "-m", "edge_sdk", "chat", "hi"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(4) == b"word"
        process.stdout.close()
        told = process.stderr.read()

    assert process.returncode == 0
    assert told == b""


def test_an_encoding_without_the_characters_shows_marks(run_command: Run) -> None:
    done = run_command("chat", "hi", SCRIPT_ANSWER="naïve ☃", PYTHONIOENCODING="ascii")

    assert done.returncode == 0, done.stderr
    assert done.stdout == b"na?ve ?\n"
