"""`edge-sdk chat --web`: a page for this machine and no other, with the real app behind it."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.conftest import Run

needs_extra = pytest.mark.skipif(
    find_spec("textual_serve") is None, reason="the extra `web` is not installed"
)


@pytest.fixture
def page(command_environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The address of a page; when it is not needed any more, it ends without a word."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_sdk", "chat", "--web", "0"],
        env=command_environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    assert said.startswith("the chat is at http://127.0.0.1:"), said
    yield said.split()[4].rstrip(";")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")


@needs_extra
def test_a_question_is_answered_in_the_page(page: str) -> None:
    import aiohttp

    async def scenario() -> str:
        seen = ""
        async with aiohttp.ClientSession() as client:
            async with client.get(page) as reply:
                assert reply.status == 200
                assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
                assert "Edge SDK" in await reply.text()
            socket = client.ws_connect(f"{page}/ws?width=100&height=30", origin=page)
            async with asyncio.timeout(60), socket as talk:
                asked = False
                while "answer 1" not in seen:
                    message = await talk.receive()
                    data = message.data
                    seen += data.decode() if isinstance(data, bytes) else str(data)
                    if "Ask anything" in seen and not asked:
                        asked = True
                        await talk.send_json(["stdin", "hello\r"])
        return seen

    assert "hello" in asyncio.run(scenario())


@needs_extra
def test_other_names_and_other_pages_are_kept_out(page: str) -> None:
    import aiohttp

    async def statuses() -> list[int]:
        found = []
        async with aiohttp.ClientSession() as client:
            for path, headers in (
                ("/", {"Host": "evil.example"}),
                ("/", {"Host": page.removeprefix("http://").replace("127.0.0.1", "localhost")}),
                ("/", {"Origin": "http://evil.example"}),
                ("/ws", {}),
                ("/ws", {"Origin": "http://evil.example"}),
                ("/ws", {"Origin": "null"}),
                ("/static/js/textual.js", {"Host": "evil.example"}),
            ):
                async with client.get(page + path, headers=headers) as reply:
                    found.append(reply.status)
        return found

    assert asyncio.run(statuses()) == [403] * 7


@needs_extra
def test_a_port_that_is_taken_or_cannot_be(run_command: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = run_command("chat", "--web", str(other.getsockname()[1]))
    assert done.returncode == 4
    assert b"could not be listened on" in done.stderr
    assert run_command("chat", "--web", "70000").returncode == 2


@pytest.mark.parametrize("missing", ["aiohttp", "textual_serve"])
def test_without_the_extra_it_says_how_to_install_it(
    run_command: Run, without: Callable[[str], str], missing: str
) -> None:
    done = run_command("chat", "--web", PYTHONPATH=without(missing))
    assert done.returncode == 1
    assert b'pip install "edge-sdk[web]"' in done.stderr
