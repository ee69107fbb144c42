"""The serial ports at which a board may be found.

It knows how the system lists them; it does not open any. A port's vendor and product number say
which USB chip it has, never which board: the board itself says that in HELLO.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from edge_sdk.errors import DeviceNotFound

PORTS_VARIABLE = "EDGE_SERIAL_PORTS"
"""Further ports to look at, separated like PATH: pseudo-terminals, ports without USB."""


@dataclass(frozen=True)
class Port:
    """One port."""

    path: str
    title: str
    """What the USB device calls itself."""
    serial: str | None
    """USB serial number; None without one."""

    @property
    def uri(self) -> str:
        """How the port is named for good: by USB serial number, because paths change."""
        return f"serial:id={self.serial}" if self.serial else f"serial:{self.path}"


def list_ports() -> list[Port]:
    """USB serial ports, then those of EDGE_SERIAL_PORTS, each once."""
    from serial.tools import list_ports as system

    found = []
    try:
        listed = sorted(system.comports())
    except Exception:  # pyserial has its own module for each system, with its own errors
        listed = []
    for port in listed:
        if port.vid is not None:
            title = port.product or port.description or port.device
            found.append(Port(port.device, title, port.serial_number or None))
    others = os.environ.get(PORTS_VARIABLE, "").split(os.pathsep)
    found += [Port(path, "a port named in " + PORTS_VARIABLE, None) for path in others if path]
    return list({port.path: port for port in reversed(found)}.values())[::-1]


def find_port(serial: str) -> Port:
    """The port whose USB device has this serial number; raises DeviceNotFound."""
    ports = list_ports()
    for port in ports:
        if port.serial == serial:
            return port
    known = ", ".join(port.serial for port in ports if port.serial) or "none"
    raise DeviceNotFound(
        f"no USB serial port has the serial number {serial!r}; those plugged in: {known}.",
        hint="plug the board in, or choose another: `edge-sdk devices`.",
    )
