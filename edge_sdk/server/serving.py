"""Binds the address, runs the server until it is told to end, and gives everything back.

It knows sockets and uvicorn; it does not know the protocol.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_address

import uvicorn

import edge_sdk
from edge_sdk.errors import AccessError, UsageError
from edge_sdk.server.guard import Rules
from edge_sdk.server.place import Place
from edge_sdk.server.service import Service
from edge_sdk.server.talker import Talker

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
MIN_TOKEN = 16
"""Characters of a token that cannot be guessed."""

MAX_CONNECTIONS = 64
"""Connections at a time; a client beyond them gets 503."""


@dataclass(frozen=True)
class Address:
    """Where to listen, and who may come."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes any free port."""
    token: str | None = None
    names: tuple[str, ...] = ()
    """More names under which clients reach this machine, for the Host header."""

    def check(self) -> None:
        """Raise UsageError for what must not be served."""
        if not is_loopback(self.host) and self.token is None:
            raise UsageError(
                f"{self.host} can be reached from other machines, and no token was given.",
                hint="give --token, or listen on 127.0.0.1.",
            )
        if self.token is not None and len(self.token) < MIN_TOKEN:
            raise UsageError(
                f"the token has {len(self.token)} characters; expected {MIN_TOKEN} or more.",
                hint='make one with `python3 -c "import secrets; print(secrets.token_hex())"`.',
            )
        if not 0 <= self.port <= 65535:
            raise UsageError(
                f"the port is {self.port}; expected 0 to 65535.", hint="0 takes any free one."
            )


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach `host`."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def bind(address: Address) -> socket.socket:
    """Listen on the address; raises AccessError."""
    host = address.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, address.port), family=family)
    except (OSError, UnicodeError) as error:
        raise AccessError(
            f"{address.host}:{address.port} could not be listened on: {error}.",
            hint="choose another --port (0 takes any free one), or end the program that has it.",
        ) from error


def hosts(address: Address, port: int) -> frozenset[str]:
    """What clients may send as Host."""
    names: Iterable[str] = (*LOOPBACK_NAMES, *address.names)
    if not is_loopback(address.host):
        own = f"[{address.host.strip('[]')}]" if ":" in address.host else address.host
        names = (own, *names)
    found = {f"{name}:{port}".lower() for name in names}
    # Clients leave the usual port out.
    return frozenset(found | ({name.lower() for name in names} if port == 80 else set()))


def serve(
    model: str,
    device: str,
    address: Address,
    *,
    max_tokens: int,
    context_limit: int,
    ready: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` gets the URL that is really served.

    Raises EdgeError where something cannot be opened, KeyboardInterrupt after SIGINT.
    """
    address.check()
    with edge_sdk.load_model(model) as loaded, closing(bind(address)) as listener:
        port = listener.getsockname()[1]
        place = Place(loaded, device)
        try:
            # Now, so that what is wrong is said at the start.
            place.session()
            talker = Talker(place, max_tokens=max_tokens, context_limit=context_limit)
            service = Service(talker, loaded.name, Rules(hosts(address, port), address.token))
            own = f"[{address.host.strip('[]')}]" if ":" in address.host else address.host
            ready(f"http://{own}:{port}/v1")
            try:
                uvicorn.Server(_config(service)).run(sockets=[listener])
            finally:
                service.close()
        finally:
            place.let_go()


def _config(service: Service) -> uvicorn.Config:
    return uvicorn.Config(
        service.app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=2,
    )
