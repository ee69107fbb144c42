"""Where a virtual board can be reached: a pseudo-terminal or a TCP port of this machine.

It knows file descriptors and who hangs up; it does not know rates, frames or engines.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from contextlib import suppress
from typing import Protocol

from edge_sdk.errors import AccessError, UnsupportedOperation

HOST = "127.0.0.1"
"""Never beyond this machine: the protocol has no password."""
_ABSENT_SECONDS = 0.02
"""How often a pty is looked at while no host has it open."""
_WRITE_SECONDS = 1.0
"""A host that does not read for so long loses what is sent, as on a real port."""


class Endpoint(Protocol):
    """One end of a line, the board's."""

    url: str
    """What a host opens."""
    hangups: int
    """How often a host has come or gone: a line that is switched off, which boards take for a
    break."""

    def read(self, most: int, seconds: float) -> bytes:
        """What a host has sent, after at most `seconds`; maybe nothing."""

    def write(self, data: bytes) -> None:
        """Send to the host; lost if there is none."""

    def host_baud(self) -> int | None:
        """The rate that the host has set, where that can be seen."""

    def close(self) -> None:
        """Hang up."""


class PtyEndpoint:
    """A pseudo-terminal; `url` is its path."""

    def __init__(self) -> None:
        """Raises UnsupportedOperation on systems that have none."""
        if sys.platform == "win32":
            raise UnsupportedOperation(
                "Windows has no pseudo-terminals.",
                hint="serve on a socket: `edge-sdk board sim ulx3s-85f --port 4000`.",
            )
        import tty

        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.url = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        self.hangups = 0
        self._present = False

    def read(self, most: int, seconds: float) -> bytes:
        """See Endpoint.read."""
        ready, _, _ = select.select([self._master], [], [], max(seconds, 0.0))
        if not ready:
            self._seen(True)
            return b""
        try:
            data = os.read(self._master, most)
        except BlockingIOError:
            return b""
        except OSError:
            # Linux: no host has it open. The terminal itself stays.
            self._seen(False)
            time.sleep(min(max(seconds, 0.0), _ABSENT_SECONDS))
            return b""
        self._seen(True)
        return data

    def _seen(self, present: bool) -> None:
        self.hangups += present != self._present
        self._present = present

    def write(self, data: bytes) -> None:
        """See Endpoint.write."""
        until = time.monotonic() + _WRITE_SECONDS
        while data and self._present and time.monotonic() < until:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                select.select([], [self._master], [], 0.01)
            except OSError:
                return

    def host_baud(self) -> int | None:
        """See Endpoint.host_baud: a pty's two ends share their settings."""
        import termios

        with suppress(termios.error):
            speed = termios.tcgetattr(self._master)[5]
            return _speeds().get(speed)
        return None

    def close(self) -> None:
        """See Endpoint.close."""
        with suppress(OSError):
            os.close(self._master)


def _speeds() -> dict[int, int]:
    """termios' code of a speed to the speed: macOS uses the number itself, Linux does not."""
    import termios

    names = (name for name in dir(termios) if name.startswith("B") and name[1:].isdigit())
    return {getattr(termios, name): int(name[1:]) for name in names}


class SocketEndpoint:
    """A TCP port on 127.0.0.1; one host at a time, others are hung up on."""

    def __init__(self, port: int) -> None:
        """port: 0 takes a free one. Raises AccessError if it cannot be had."""
        self._server = socket.socket()
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._server.bind((HOST, port))
            self._server.listen(4)
        except (OSError, OverflowError) as error:
            self._server.close()
            raise AccessError(
                f"port {port} of {HOST} could not be opened: {error}.",
                hint="choose another with --port, or 0 for any free one.",
            ) from error
        self._server.setblocking(False)
        self.url = f"socket://{HOST}:{self._server.getsockname()[1]}"
        self.hangups = 0
        self._host: socket.socket | None = None

    def read(self, most: int, seconds: float) -> bytes:
        """See Endpoint.read."""
        both = [self._server] if self._host is None else [self._server, self._host]
        ready, _, _ = select.select(both, [], [], max(seconds, 0.0))
        if self._server in ready:
            self._accept()
        if self._host is None or self._host not in ready:
            return b""
        try:
            data = self._host.recv(most)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._drop()
        return data

    def _accept(self) -> None:
        try:
            host, _ = self._server.accept()
        except OSError:
            return
        if self._host is not None:
            host.close()
            return
        host.setblocking(False)
        host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = host
        self.hangups += 1

    def _drop(self) -> None:
        if self._host is not None:
            self._host.close()
            self._host = None
            self.hangups += 1

    def write(self, data: bytes) -> None:
        """See Endpoint.write."""
        until = time.monotonic() + _WRITE_SECONDS
        while data and self._host is not None and time.monotonic() < until:
            try:
                data = data[self._host.send(data) :]
            except BlockingIOError:
                select.select([], [self._host], [], 0.01)
            except OSError:
                self._drop()

    def host_baud(self) -> int | None:
        """See Endpoint.host_baud: a socket has no rate."""
        return None

    def close(self) -> None:
        """See Endpoint.close."""
        self._drop()
        self._server.close()
