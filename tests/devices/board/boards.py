"""Virtual boards with tiny models for tests; nothing here checks anything."""

from __future__ import annotations

import os
import pty
import threading
import tty
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from edge_sdk.config import ModelConfig
from edge_sdk.devices.board.client import Client
from edge_sdk.devices.board.device import BoardDevice
from edge_sdk.devices.board.kinds import BoardKind, get_kind
from edge_sdk.devices.board.options import Options
from edge_sdk.devices.virtual.direct import DirectTransport, FaultyTransport
from edge_sdk.devices.virtual.endpoint import Endpoint, PtyEndpoint, SocketEndpoint
from edge_sdk.devices.virtual.engine import Engine
from edge_sdk.devices.virtual.faults import Rates
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.devices.virtual.line import Line
from edge_sdk.model_file import Model, open_model
from tests.helpers import packed_model

KIND: BoardKind = get_kind("ulx3s-85f")
TINY = ModelConfig(vocab_size=40, hidden_size=16, num_layers=2, intermediate_size=24)
"""The smallest model with all parts, so that a token takes well below a millisecond."""
PROMPT = [1, 17, 33, 2, 39]


def tiny_model(folder: Path) -> Model:
    return open_model(packed_model(folder, TINY))


def direct_board(engine: Engine | None = None, **options: object) -> BoardDevice:
    """A board without a line, as fast as it goes."""
    transport = DirectTransport(engine or IntegerEngine(KIND), "direct", pace=False)
    return BoardDevice.open(transport, "sim:direct", Options(**options))  # type: ignore[arg-type]


def faulty_board(rates: Rates, seed: int, engine: Engine | None = None) -> BoardDevice:
    """A board behind a bad cable, on a clock of its own."""
    transport = FaultyTransport(engine or IntegerEngine(KIND), rates, seed)
    client = Client(transport, clock=transport.clock)
    return BoardDevice(client, client.hello(30.0), "sim:bad", Options())


@contextmanager
def running(line: Line, endpoint: Endpoint) -> Iterator[str]:
    """`line` in a thread; gives what a host opens."""
    stop = threading.Event()
    thread = threading.Thread(target=line.run, args=(stop.is_set,), daemon=True)
    thread.start()
    try:
        yield endpoint.url
    finally:
        stop.set()
        thread.join()
        endpoint.close()


def served(
    endpoint: Endpoint, engine: Engine | None = None, **settings: object
) -> AbstractContextManager[str]:
    """A virtual board on `endpoint`."""
    board = engine or IntegerEngine(KIND)
    options = {"pace": False, **settings}
    return running(Line(endpoint, lambda: board, **options), endpoint)  # type: ignore[arg-type]


def on_pty(engine: Engine | None = None, **settings: object) -> AbstractContextManager[str]:
    return served(PtyEndpoint(), engine, **settings)


def on_socket(engine: Engine | None = None, **settings: object) -> AbstractContextManager[str]:
    return served(SocketEndpoint(0), engine, **settings)


@contextmanager
def bare_pty() -> Iterator[tuple[int, str]]:
    """(the board's end, the host's path)."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.close(slave)
    try:
        yield master, path
    finally:
        with suppress(OSError):
            os.close(master)


def open_files() -> set[str]:
    """Descriptors of this process, with what they are open on."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{entry.name}:{entry.readlink()}")
        except OSError:
            continue
    return found
