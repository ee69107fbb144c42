"""The real server on a real socket, with a session that has no device behind it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import openai
import pytest
import uvicorn

from edge_sdk.server.address import Address, bind, hosts
from edge_sdk.server.guard import Rules
from edge_sdk.server.service import Service
from edge_sdk.server.talker import Talker
from edge_sdk.telemetry import Provenance, Reading
from tests.fake_session import MARKED, FakeSession, byte_tokenizer, fake_model, scripted

TOKEN = "a-token-of-the-test"


@dataclass
class FakePlace:
    """A session, and how often it was let go."""

    only: FakeSession
    gone: int = 0

    def session(self) -> Any:
        return self.only

    def power(self) -> Reading:
        return Reading(2.0, "W", Provenance.MEASURED, "a meter", "board")

    def let_go(self) -> None:
        self.gone += 1


@dataclass
class Server:
    """A server that runs, and two kinds of clients for it."""

    session: FakeSession
    port: int = 0
    token: str | None = None
    place: FakePlace | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(
            base_url=self.url, api_key=self.token or "unused", max_retries=0, timeout=60
        )

    def raw(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """One request with exactly these headers (`_` in a name stands for `-`)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(body)
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, json.loads(data)


def run(session: FakeSession, token: str | None = None) -> Iterator[Server]:
    address = Address(port=0, token=token, names=("edge.example",))
    listener = bind(address)
    server = Server(session, listener.getsockname()[1], token)
    server.place = FakePlace(session)
    talker = Talker(server.place, max_tokens=64, context_limit=1024)
    service = Service(talker, "fake", Rules(hosts(address, server.port), token))
    config = uvicorn.Config(
        service.app, log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    runner = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: runner.run(sockets=[listener]))
    thread.start()
    yield server
    runner.should_exit = True
    thread.join(30)
    service.close()
    listener.close()
    assert not thread.is_alive()


def _session(choose: Callable[[tuple[int, ...]], int]) -> FakeSession:
    """Of a model that was trained on readings; the server must not put any before a question."""
    return FakeSession(fake_model(byte_tokenizer(), replace(MARKED, status=True)), choose)


@pytest.fixture
def server() -> Iterator[Server]:
    yield from run(_session(scripted("first answer", "second one")))


@pytest.fixture
def locked_server() -> Iterator[Server]:
    yield from run(_session(scripted("first answer")), TOKEN)
