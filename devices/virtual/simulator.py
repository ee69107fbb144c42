"""Starts virtual boards: in this process for `sim:`, on a pty or a socket for `board sim`.

It knows which engine has which name; it does not know what they compute.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_sdk.device import DeviceInfo, Progress
from edge_sdk.devices.board.device import BoardDevice
from edge_sdk.devices.board.kinds import KINDS, BoardKind, get_kind
from edge_sdk.devices.board.options import read_options
from edge_sdk.devices.virtual.direct import DirectTransport
from edge_sdk.devices.virtual.endpoint import Endpoint, PtyEndpoint, SocketEndpoint
from edge_sdk.devices.virtual.engine import Engine
from edge_sdk.devices.virtual.faults import Rates
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.devices.virtual.line import Line
from edge_sdk.devices.virtual.machine import VirtualBoard
from edge_sdk.errors import DeviceTimeout, UsageError
from edge_sdk.uri import DeviceURI

ENGINES = ("integer", "rtl")


def power_on(
    board: str,
    engine: str,
    folder: Path | None = None,
    progress: Progress | None = None,
    *,
    loadable: bool = True,
) -> VirtualBoard:
    """Switch a virtual board on; raises DeviceNotFound, UsageError, and what the RTL needs."""
    if engine not in ENGINES:
        raise UsageError(
            f"no engine is called {engine!r}.", hint=f"choose one of {', '.join(ENGINES)}."
        )

    def make(kind: BoardKind, build: str) -> Engine:
        if engine == "integer":
            return IntegerEngine(kind, build)
        from edge_sdk.devices.virtual.rtl import RtlEngine

        return RtlEngine(kind, progress)

    return VirtualBoard(get_kind(board), make, folder, loadable=loadable)


@dataclass(frozen=True)
class BoardSimulator:
    """See edge_sdk.boards.Simulator."""

    def serve(
        self,
        board: str,
        *,
        engine: str = "integer",
        port: int | None = None,
        folder: Path | None = None,
        pace: bool = True,
        faults: str = "",
        ready: Callable[[str, str], None],
        stop: threading.Event,
        progress: Progress | None = None,
    ) -> None:
        """See Simulator.serve."""
        rates = Rates.parse(faults)
        machine = power_on(board, engine, folder, progress)
        endpoint: Endpoint = PtyEndpoint() if port is None else SocketEndpoint(port)
        try:
            uri = f"serial:{endpoint.url}" if port is None else endpoint.url
            running = machine.engine()
            says = running.name if running else "silent: its folder holds no image that it can run"
            ready(uri, says)
            Line(endpoint, machine.engine, pace=pace, rates=rates).run(stop.is_set)
        finally:
            endpoint.close()
            machine.close()


@dataclass(frozen=True)
class SimProvider:
    """`sim:ulx3s-85f?engine=integer&pace=1`: a board in this process."""

    def discover(self) -> list[DeviceInfo]:
        """Every board that can be simulated."""
        return [
            DeviceInfo(
                uri=f"sim:{kind.name}",
                name=f"virtual {kind.title}",
                kind="simulator",
                usable=True,
                memory=2 * kind.geometry.memory_words * kind.geometry.memory_bits // 16,
                details={"engine": "integer model; ?engine=rtl for the compiled gateware"},
            )
            for kind in KINDS.values()
        ]

    def open(self, uri: DeviceURI) -> BoardDevice:
        """Switch it on; raises DeviceNotFound, UsageError, DeviceTimeout for a damaged image."""
        options = read_options(uri, ("engine", "pace"))
        pace = uri.options.get("pace", "1")
        if pace not in ("0", "1"):
            raise UsageError(
                f"the option pace of {str(uri)!r} is {pace!r}; expected 0 or 1.",
                hint="1 keeps the real board's time, 0 is as fast as this machine.",
            )
        engine_name = uri.options.get("engine", "integer")
        machine = power_on(uri.target, engine_name, loadable=False)
        engine = machine.engine()
        if engine is None:
            raise DeviceTimeout(
                f"the virtual board {uri.target} does not answer: what was flashed into "
                f"{str(machine.folder)!r} is no image that it can run.",
                hint=f"remove it, or flash it again: `edge-sdk flash {uri.target}`.",
            )
        transport = DirectTransport(engine, str(uri), pace=pace == "1")
        return BoardDevice.open(transport, str(uri), options)


SIM = SimProvider()
SIMULATOR = BoardSimulator()
