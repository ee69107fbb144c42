"""`edge-sdk chat` where there is no terminal: pipes, prompts and JSON."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_sdk.cli.turns import MAX_LINE
from tests.cli.conftest import CHAT, CONFIG, Run, byte_tokenizer
from tests.helpers import packed_model


def test_a_prompt_is_answered_on_stdout(run_command: Run) -> None:
    done = run_command("chat", "Hello,", "you!", stdin=b"ignored")

    assert (done.returncode, done.stdout) == (0, b"answer 1\n")


def test_the_figures_go_to_stderr(run_command: Run) -> None:
    done = run_command("chat", "Hello!")

    assert re.fullmatch(
        r"script · \d+ tok/s · first token [\d.]+ m?s \([\d.]+ m?s after the start\) · "
        r"power unavailable: the script says so\n",
        done.stderr.decode(),
    )


def test_energy_is_shown_with_its_source(run_command: Run) -> None:
    done = run_command("chat", "Hello!", SCRIPT_POWER="5", SCRIPT_DELAY="0.01")

    assert re.search(r"· [0-9.e-]+ J/token \(derived, script\)\n", done.stderr.decode())


def test_each_line_of_a_pipe_is_a_turn(run_command: Run) -> None:
    done = run_command("chat", stdin=b"one\n\n   \r\ntwo\r\nthree")

    assert (done.returncode, done.stdout) == (0, b"answer 1\nanswer 2\nanswer 3\n")
    # Only the first token of all has waited for the start of the program.
    assert done.stderr.count(b"after the start") == 1
    assert done.stderr.count(b"tok/s") == 3


def test_a_turn_is_answered_before_the_next_is_written(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "edge_sdk", "chat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env=command_environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for turn in (1, 2):
            process.stdin.write(b"hello\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"answer {turn}\n".encode()
        process.stdin.close()

    assert process.returncode == 0


def test_json_is_one_object_a_turn(run_command: Run) -> None:
    done = run_command("chat", "--json", stdin=b"one\ntwo\n", SCRIPT_ANSWER="\x1b[2Jé {turn}")

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["text"], second["text"]) == ("\x1b[2Jé 1", "\x1b[2Jé 2")
    assert first["model"] == "tiny"
    assert first["device"] == "script"
    assert first["stop_reason"] == "stop"
    assert first["answer_tokens"] == len("\x1b[2Jé 1".encode())
    assert first["prompt_tokens"] > 0
    assert first["tokens_per_second"] > 0
    assert first["first_token_seconds"] > 0
    assert {"energy", "joules_per_token", "power"} <= set(first["readings"])
    for reading in first["readings"].values():
        assert reading["provenance"] == "unavailable"
        assert reading["value"] is None
        assert reading["reason"]
        assert reading["remedy"]


def test_the_cpu_answers_and_repeats_itself(run_command: Run) -> None:
    """All the way through tinygrad; the tiny model's weights are random, so is its text."""
    options = ["--json", "--device", "cpu", "--temperature", "0", "--max-tokens", "4"]
    done = run_command("chat", *options, stdin=b"hi\n")
    again = run_command("chat", *options, stdin=b"hi\n")

    assert done.returncode == 0, done.stdout
    first, second = json.loads(done.stdout), json.loads(again.stdout)
    assert first["device"] == "cpu"
    assert 0 <= first["answer_tokens"] <= 4
    assert first["text"] == second["text"]


def test_the_length_of_an_answer_can_be_limited(run_command: Run) -> None:
    done = run_command("chat", "--json", "--max-tokens", "3", "hi", SCRIPT_ANSWER="abcdef")

    told = json.loads(done.stdout)
    assert (told["text"], told["stop_reason"], told["answer_tokens"]) == ("abc", "length", 3)


def test_what_a_terminal_would_act_on_is_inert(run_command: Run) -> None:
    evil = "\x1b]52;c;aGk=\x07\x1b[2J\u202e[bold]é\x9b"
    done = run_command("chat", "hi", SCRIPT_ANSWER=evil)

    assert done.stdout.decode() == "]52;c;aGk=[2J[bold]é\n"


def test_a_character_of_several_tokens_comes_whole(run_command: Run) -> None:
    done = run_command("chat", "hi", SCRIPT_ANSWER="☃ 𝄞 é")

    assert done.stdout.decode() == "☃ 𝄞 é\n"


def test_an_answer_that_ends_with_a_line_end_gets_no_second_one(run_command: Run) -> None:
    assert run_command("chat", "hi", SCRIPT_ANSWER="a\n").stdout.rstrip(b"\n") == b"a"
    assert not run_command("chat", "hi", SCRIPT_ANSWER="a\n").stdout.endswith(b"\n\n")


@pytest.mark.parametrize(
    ("stdin", "part"),
    [
        (b"", "the input is empty"),
        (b"\n  \n\t\n", "the input is empty"),
        (b"\xff\xfe", "line 1 of the input is not valid UTF-8"),
        (b"x" * (MAX_LINE + 1), "line 1 of the input is longer than 256 KiB"),
        (b"He\x1b[31mllo\n", "control character U+001B"),
        ("\u009b31mHello".encode(), "control character U+009B"),
        (b"\x00" * 1000, "control character U+0000"),
    ],
)
def test_bad_input_is_refused_in_words(run_command: Run, stdin: bytes, part: str) -> None:
    done = run_command("chat", stdin=stdin)

    assert (done.returncode, done.stdout) == (2, b"")
    assert part in done.stderr.decode()
    assert "\nhint: " in done.stderr.decode()


@pytest.mark.parametrize("prompt", ["", "  "])
def test_an_empty_prompt_is_refused_in_words(run_command: Run, prompt: str) -> None:
    done = run_command("chat", prompt, stdin=b"this is not asked for")

    assert (done.returncode, done.stdout) == (2, b"")
    assert b"there is nothing to answer" in done.stderr


def test_a_closed_stdin_is_an_empty_one(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "edge_sdk", "chat"],
        capture_output=True,
        cwd=tmp_path,
        env=command_environment,
    )

    assert done.returncode == 2
    assert b"the input is empty" in done.stderr


def test_bad_input_after_a_good_turn_keeps_the_answer(run_command: Run) -> None:
    done = run_command("chat", stdin=b"good\n\xff\n")

    assert (done.returncode, done.stdout) == (2, b"answer 1\n")
    assert b"line 2 of the input" in done.stderr


def test_a_prompt_that_is_no_utf8_is_refused_in_words(run_command: Run) -> None:
    done = run_command("chat", "\udcff")

    assert done.returncode == 2
    assert b"the prompt is not valid UTF-8" in done.stderr


def test_a_prompt_with_control_characters_is_refused_in_words(run_command: Run) -> None:
    done = run_command("chat", "He\x1b[31mllo")

    assert (done.returncode, done.stdout) == (2, b"")
    assert b"control character U+001B" in done.stderr
    assert b"\x1b" not in done.stderr


def test_tabs_and_line_ends_are_no_control_characters(run_command: Run) -> None:
    assert run_command("chat", "one\ttab\r\nand a line").stdout == b"answer 1\n"


@pytest.mark.parametrize("option", ["--temperature", "--top-p", "--max-tokens", "--top-k"])
def test_settings_out_of_range_are_refused_in_words(run_command: Run, option: str) -> None:
    done = run_command("chat", "hi", option, "-1")

    assert (done.returncode, done.stdout) == (2, b"")
    assert option.strip("-").replace("-", "_") in done.stderr.decode()


def test_ctrl_c_keeps_what_is_written_and_ends_with_130(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    environment = command_environment | {"SCRIPT_ANSWER": "word " * 400, "SCRIPT_DELAY": "0.02"}
    with subprocess.Popen(
        [sys.executable, "-m", "edge_sdk", "chat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"one\ntwo\n")
        process.stdin.flush()
        begin = process.stdout.read(5)
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=60)

    assert process.returncode == 130
    assert begin == b"word "
    assert rest.endswith(b"\n")
    assert len(rest) < 2000
    assert b"tok/s" in told
    assert b"Traceback" not in told


def test_ctrl_c_leaves_a_whole_json_object(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    started = tmp_path / "started"
    environment = command_environment | {
        "SCRIPT_ANSWER": "word " * 400,
        "SCRIPT_DELAY": "0.02",
        "SCRIPT_STARTED": str(started),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "edge_sdk", "chat", "--json", "hi"],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=environment,
    ) as process:
        while not started.exists():
            time.sleep(0.05)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert json.loads(text)["stop_reason"] == "cancelled"


def test_the_model_is_told_the_readings_as_asked(run_command: Run, tmp_path: Path) -> None:
    """By default where it was trained on them and may be asked for them."""
    trained = packed_model(
        tmp_path, CONFIG, tokenizer=byte_tokenizer(), chat=CHAT | {"status": True}
    )

    def read(*words: str) -> int:
        done = run_command("chat", "--json", *words, question, SCRIPT_POWER="5")
        count: int = json.loads(done.stdout)["prompt_tokens"]
        return count

    question = "Hi!"
    assert read("--model", str(trained)) == read() < read("--status-line")
    question = "How warm are you?"
    plain, told = read(), read("--status-line")
    assert told > plain == read("--no-status-line")
    assert read("--model", str(trained)) > plain
    assert read("--model", str(trained), "--no-status-line") == plain
