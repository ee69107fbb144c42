"""`edge-sdk serve` as a process: what it prints, refuses, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.cli.conftest import Run

SERVE = [sys.executable, "-m", "edge_sdk", "serve", "--port", "0"]


def test_the_official_client_talks_to_the_command(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [*SERVE, "--json"],
        env=command_environment | {"SCRIPT_POWER": "3", "SCRIPT_DELAY": "0.01"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run as a background job, SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert url.startswith("http://127.0.0.1:")
        client = openai.OpenAI(base_url=url, api_key="unused", max_retries=0, timeout=60)
        reply = client.chat.completions.create(
            model=client.models.list().data[0].id, messages=[{"role": "user", "content": "hi"}]
        )
        assert reply.choices[0].message.content == "answer 1"
        assert reply.usage is not None
        assert reply.usage.model_extra is not None
        assert reply.usage.model_extra["energy"]["provenance"] in ("measured", "derived")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (130, "", "")
    finally:
        process.kill()  # does nothing to one that has ended


def test_other_machines_are_let_in_with_a_token_only(run_command: Run) -> None:
    done = run_command("serve", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 2
    assert b"no token was given" in done.stderr
    done = run_command("serve", "--host", "0.0.0.0", "--port", "0", "--token", "short", "--json")
    assert json.loads(done.stdout)["error"] == "UsageError"


def test_a_port_that_is_taken(run_command: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = run_command("serve", "--port", str(other.getsockname()[1]))
    assert done.returncode == 4
    assert b"could not be listened on" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_how_to_install_it(
    run_command: Run, without: Callable[[str], str], missing: str
) -> None:
    done = run_command("serve", PYTHONPATH=without(missing))
    assert done.returncode == 1
    assert missing.encode() in done.stderr
    assert b'pip install "edge-sdk[serve]"' in done.stderr


def test_a_device_that_was_unplugged_is_opened_again(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    unplugged = tmp_path / "unplugged"
    process = subprocess.Popen(
        [*SERVE, "--json"],
        env=command_environment | {"SCRIPT_UNPLUGGED": str(unplugged)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    client = openai.OpenAI(base_url=url, api_key="unused", max_retries=0, timeout=60)
    talk: list[Any] = [{"role": "user", "content": "hi"}]

    def ask() -> str | None:
        reply = client.chat.completions.create(model="tiny", messages=talk)
        return reply.choices[0].message.content

    assert ask() == "answer 1"
    unplugged.touch()
    for _ in range(2):
        with pytest.raises(openai.InternalServerError, match="went away"):
            ask()
    unplugged.unlink()
    talk += [{"role": "assistant", "content": "answer 1"}, {"role": "user", "content": "more"}]
    assert ask() == "answer 2"
    process.send_signal(signal.SIGTERM)
    process.wait(60)
