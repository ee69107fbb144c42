"""Where a server listens, who may come there, and the socket itself.

It knows names, ports and tokens; it does not know protocols or who serves.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from edge_sdk.errors import AccessError, UsageError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
MIN_TOKEN = 16
"""Characters of a token that cannot be guessed."""


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
            hint="choose another port (0 takes any free one), or end the program that has it.",
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
