"""The app in a browser of this machine, through textual-serve.

It knows who is let in and what is started for whom; it does not know the app's options, which come
as a command. Whoever reaches the page has the app and so the user's history: only this machine is
listened to, other web pages are kept out by Host and Origin, and the page loads nothing from
elsewhere.
"""

from __future__ import annotations

import asyncio
import shlex
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web
from textual_serve.server import Server

from edge_sdk.server.address import Address, bind

MAX_PAGES = 4
"""Open pages at a time: each has a model of its own in memory."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page(Server):  # type: ignore[misc]
    """textual-serve's page and socket, for one exact address."""

    def __init__(self, command: Sequence[str], address: str) -> None:
        super().__init__(shlex.join(command), title="Edge SDK", public_url=f"http://{address}")
        self._address = address
        self._open = 0

    async def on_startup(self, app: web.Application) -> None:
        """Print nothing: who serves says so."""

    async def application(self) -> web.Application:
        """The routes, behind the guard."""
        app: web.Application = await self._make_app()
        app.middlewares.append(self._guard)
        return app

    @web.middleware  # type: ignore[untyped-decorator]
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.getall("Host", []) != [self._address]:
            raise web.HTTPForbidden(text="this Host is not served here\n")
        origins = request.headers.getall("Origin", [])
        is_socket = request.path == "/ws"
        if origins != [self.public_url] and (origins or is_socket):
            raise web.HTTPForbidden(text="another page's requests are not served\n")
        if not is_socket:
            response = await handler(request)
            response.headers["Content-Security-Policy"] = (
                "default-src 'self' 'unsafe-inline' data:; frame-ancestors 'none'; "
                f"connect-src 'self' ws://{self._address}"
            )
            return response
        if self._open >= MAX_PAGES:
            raise web.HTTPServiceUnavailable(text="too many pages are open\n")
        self._open += 1
        try:
            return await handler(request)
        finally:
            self._open -= 1


def serve_page(command: Sequence[str], port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl+C (KeyboardInterrupt) or SIGTERM; `command` is run for each open page.

    port: 0 takes any free one. ready: gets the address once it is listened on. Raises UsageError
    for a port that cannot be, AccessError where it is taken.
    """
    address = Address(host="127.0.0.1", port=port)
    address.check()
    with bind(address) as listening:
        asyncio.run(_serve(command, listening, ready))


async def _serve(
    command: Sequence[str], listening: socket.socket, ready: Callable[[str], None]
) -> None:
    host, port = listening.getsockname()[:2]
    page = Page(command, f"{host}:{port}")
    runner: Any = web.AppRunner(await page.application())
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        ready(page.public_url)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        await ended.wait()
    finally:
        await runner.cleanup()
