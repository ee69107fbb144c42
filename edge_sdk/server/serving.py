"""Runs the server until it is told to end, and gives everything back.

It knows uvicorn; it does not know the protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import uvicorn

import edge_sdk
from edge_sdk.server.address import Address, bind, hosts
from edge_sdk.server.guard import Rules
from edge_sdk.server.place import Place
from edge_sdk.server.service import Service
from edge_sdk.server.talker import Talker

MAX_CONNECTIONS = 64
"""Connections at a time; a client beyond them gets 503."""


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
