"""Lets a request in only if it comes from where it may, with what it must have, and not too much.

It knows headers and limits; it does not know what is served. A web page that the user visits can
send requests to this machine: an exact Host keeps out those that a rebound name brings, and every
Origin is refused, as no browser page is a client.
"""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_sdk.server.replies import error

MAX_BODY = 1 << 20
"""Bytes of a request's body."""

BODY_SECONDS = 10.0
"""Longest time for a body to arrive: a client that trickles must not hold a place for ever."""


@dataclass(frozen=True)
class Rules:
    """What is let in."""

    hosts: frozenset[str]
    """Exact values of the Host header, port included, lower case."""
    token: str | None
    """What must stand behind `Authorization: Bearer`; None lets everyone in."""


class Guard:
    """ASGI middleware; the application gets the whole body as one message."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or read the body and pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope), scope["method"])
        if refusal is None:
            body = await self._body(receive)
            if isinstance(body, bytes):
                await self._app(scope, _Replay(body, receive), send)
                return
            refusal = body
        # The rest of a refused body is not read.
        refusal.headers["connection"] = "close"
        await refusal(scope, receive, send)

    def _refusal(self, headers: Headers, method: str) -> JSONResponse | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._rules.hosts:
            return _no(403, "this Host is not served here; use the address that was printed.")
        if "origin" in headers:
            return _no(403, "requests from web pages are not served.")
        if not self._knows_token(headers):
            refusal = _no(401, "a token is needed: Authorization: Bearer TOKEN.", "invalid_api_key")
            refusal.headers["www-authenticate"] = "Bearer"
            return refusal
        if method == "POST":
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                return _no(415, "the body must be application/json.")
            length = headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > MAX_BODY:
                return _too_large()
        return None

    def _knows_token(self, headers: Headers) -> bool:
        if self._rules.token is None:
            return True
        kind, _, token = headers.get("authorization", "").partition(" ")
        # In constant time, so that an answer's delay tells nothing about the token.
        same = hmac.compare_digest(token.strip().encode(), self._rules.token.encode())
        return kind.lower() == "bearer" and same

    async def _body(self, receive: Receive) -> bytes | JSONResponse:
        parts, size = [], 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return _no(400, "the connection ended within the body.")
                    size += len(message.get("body", b""))
                    if size > MAX_BODY:
                        return _too_large()
                    parts.append(message.get("body", b""))
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            return _no(408, f"the body did not arrive within {BODY_SECONDS:.0f} s.")


class _Replay:
    """A `receive` that gives the body that was read, and then what comes (the disconnect)."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._first: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._receive = receive

    async def __call__(self) -> Message:
        message, self._first = self._first, None
        return await self._receive() if message is None else message


def _no(status: int, message: str, code: str | None = None) -> JSONResponse:
    return JSONResponse(error(message, "invalid_request_error", code=code), status)


def _too_large() -> JSONResponse:
    return _no(413, f"the body is longer than {MAX_BODY >> 10} KiB.")
