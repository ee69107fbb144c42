"""Finds boards at serial ports and opens them by URI.

It knows `serial:auto`, `serial:id=...`, `serial:<port>`, `socket://` and `rfc2217://`; it does not
know what a board is asked.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from edge_sdk.device import DeviceInfo
from edge_sdk.devices.board.client import Client
from edge_sdk.devices.board.device import BoardDevice, describe
from edge_sdk.devices.board.options import read_options
from edge_sdk.devices.board.ports import PORTS_VARIABLE, Port, find_port, list_ports
from edge_sdk.devices.board.rate import greet
from edge_sdk.devices.board.transport import PortTransport
from edge_sdk.errors import DeviceNotFound, DeviceTimeout, EdgeError, UsageError
from edge_sdk.firmware_images.contract.wire import DEFAULT_BAUD
from edge_sdk.uri import DeviceURI

NO_BOARD = "no board of ours answers there"


@dataclass(frozen=True)
class SerialProvider:
    """`serial:`: boards at the serial ports of this machine."""

    def discover(self) -> list[DeviceInfo]:
        """One entry for each USB serial port, also for those at which no board answers."""
        ports = list_ports()
        if not ports:
            return [
                DeviceInfo(
                    uri="serial:auto",
                    name="FPGA board",
                    kind="board",
                    usable=False,
                    reason="no USB serial port was found",
                    remedy="plug a board in, or try one that is simulated: sim:ulx3s-85f.",
                )
            ]
        # Each takes most of a second where nothing answers.
        with ThreadPoolExecutor(max_workers=len(ports)) as pool:
            return list(pool.map(probe, ports))

    def open(self, uri: DeviceURI) -> BoardDevice:
        """Open a port and greet the board; raises DeviceNotFound, DeviceBusy, DeviceTimeout."""
        options = read_options(uri)
        if uri.target == "auto":
            port, shown = self._first(), uri
        elif uri.target.startswith("id="):
            port, shown = find_port(uri.target[3:]), uri
        elif uri.target:
            port, shown = Port(uri.target, uri.target, None), uri
        else:
            raise UsageError(
                f"{str(uri)!r} names no port.",
                hint="write 'serial:auto', 'serial:/dev/ttyUSB0' or 'serial:id=<usb serial>'.",
            )
        if uri.target == "auto":
            shown = replace(DeviceURI.parse(port.uri), options=uri.options)
        transport = PortTransport(port.path, DEFAULT_BAUD)
        return BoardDevice.open(transport, str(shown), options)

    def _first(self) -> Port:
        """The first port at which a board answers; raises DeviceNotFound that tells of each."""
        ports = list_ports()
        tried = []
        for port in ports:
            info = probe(port)
            if info.usable:
                return port
            tried.append(f"{port.path}: {info.reason}")
        told = "; ".join(tried) if tried else "no USB serial port was found"
        raise DeviceNotFound(
            f"no board was found ({told}).",
            hint="plug one in, load its image with `edge-sdk flash`, or name a port with "
            f"serial:<port> or in {PORTS_VARIABLE}.",
        )


@dataclass(frozen=True)
class RemoteProvider:
    """`socket://host:port` and `rfc2217://host:port`: a board at the other end of a network."""

    scheme: str

    def discover(self) -> list[DeviceInfo]:
        """Nothing: a network is not searched."""
        return []

    def open(self, uri: DeviceURI) -> BoardDevice:
        """Connect and greet the board; raises DeviceNotFound, DeviceTimeout."""
        options = read_options(uri)
        host, _, port = uri.target.removeprefix("//").rpartition(":")
        if not (host and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 1 << 16):
            raise UsageError(
                f"{str(uri)!r} does not name a host and a port.",
                hint=f"write '{self.scheme}://127.0.0.1:4000'.",
            )
        transport = PortTransport(f"{self.scheme}://{host}:{port}", DEFAULT_BAUD)
        return BoardDevice.open(transport, str(uri), options)


def probe(port: Port) -> DeviceInfo:
    """What is at `port`; takes less than two seconds and never raises."""
    try:
        client = Client(PortTransport(port.path, DEFAULT_BAUD))
        try:
            return describe(greet(client), port.uri, None)
        finally:
            client.close()
    except DeviceTimeout:
        return _unusable(port, NO_BOARD, "load the image of your board: `edge-sdk flash`.")
    except EdgeError as error:
        return _unusable(port, error.message.rstrip("."), error.hint)


def _unusable(port: Port, reason: str, remedy: str | None) -> DeviceInfo:
    return DeviceInfo(
        uri=port.uri,
        name=f"{port.title} ({port.path})",
        kind="board",
        usable=False,
        reason=reason,
        remedy=remedy,
    )


SERIAL = SerialProvider()
SOCKET = RemoteProvider("socket")
RFC2217 = RemoteProvider("rfc2217")
