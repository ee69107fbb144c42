"""Serial ports and sockets as one thing that moves bytes, with errors in words.

It knows pyserial and every way in which a port fails; it does not know frames. All exceptions that
pyserial and the system raise are caught here and nowhere else.

What it takes care of: two programs on one port (an exclusive lock), reads that never end (none
takes longer than POLL_SECONDS), writes that never end, a port that vanishes while it is used (told
at once, whatever pyserial calls it), and settings that a kind of port does not have.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from typing import Any, Protocol

import serial

from edge_sdk.devices.board.holder import name_holder
from edge_sdk.errors import (
    DeviceBusy,
    DeviceDisconnected,
    DeviceNotFound,
    DevicePermission,
    DeviceTimeout,
    EdgeError,
    LinkError,
)

POLL_SECONDS = 0.05
"""No read takes longer, so that a cancel flag is seen in time."""
WRITE_SECONDS = 2.0
"""A write that the line does not take for so long has failed."""
BREAK_SECONDS = 0.1
"""Longer than the 56 ms that a board takes for a break."""
_READ_BYTES = 4096
_FAILURES: tuple[type[Exception], ...] = (
    serial.SerialException,
    OSError,
    TypeError,
    ValueError,
    AttributeError,
    NotImplementedError,
)
"""What pyserial 3.5 raises: besides its own, bare OSError from in_waiting after an unplug, and
TypeError or AttributeError where another thread closes the port under a reader, and
NotImplementedError for what a kind of port lacks."""
with suppress(ImportError):  # Windows has none
    import termios

    _FAILURES += (termios.error,)
_BUSY = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)
_DENIED = (errno.EACCES, errno.EPERM)


class Transport(Protocol):
    """A line to a board: bytes in, bytes out."""

    name: str
    """What a person calls it: the port's path or the URL."""
    baud: int | None
    """The rate now; None where the line has none, so that there is nothing to negotiate."""

    def read(self, seconds: float) -> bytes:
        """What has come, after at most `seconds` (capped at POLL_SECONDS) and maybe nothing.

        Raises DeviceDisconnected.
        """

    def write(self, data: bytes) -> None:
        """Send all of `data`; raises DeviceTimeout, DeviceDisconnected."""

    def set_baud(self, rate: int) -> None:
        """Change the rate; raises LinkError if the port cannot do it."""

    def send_break(self) -> None:
        """Hold the line low for BREAK_SECONDS: the board goes back to its default rate."""

    def close(self) -> None:
        """Let the port go; may be called twice, never raises."""


class PortTransport:
    """A serial port, `socket://host:port` or `rfc2217://host:port`, through pyserial."""

    def __init__(self, url: str, baud: int) -> None:
        """Open it; raises DeviceNotFound, DeviceBusy, DevicePermission, LinkError."""
        self.name = url
        self.baud: int | None = baud
        self._remote = "://" in url
        self._is_socket = url.startswith("socket://")
        options: dict[str, Any] = {"timeout": POLL_SECONDS}
        if not url.startswith("rfc2217://"):
            # There pyserial refuses it; what it writes to is a socket's buffer.
            options["write_timeout"] = WRITE_SECONDS
        if not self._remote and os.name == "posix":
            options["exclusive"] = True
        try:
            self._port = serial.serial_for_url(url, baud, **options)
        except _FAILURES as error:
            raise _not_opened(url, error, self._remote) from error
        with suppress(*_FAILURES):
            # FTDI chips hold short answers back for 16 ms otherwise.
            self._port.set_low_latency_mode(True)

    def read(self, seconds: float) -> bytes:
        """See Transport.read."""
        try:
            first: bytes = self._port.read(1) if seconds > 0 else b""
            if first or seconds <= 0:
                return first + self._waiting()
            return b""
        except _FAILURES as error:
            raise self._gone(error) from error

    def _waiting(self) -> bytes:
        """All that is there already."""
        if not self._is_socket:
            count = self._port.in_waiting
            return bytes(self._port.read(count)) if count else b""
        # A socket tells only whether there is something, and not how much.
        self._port.timeout = 0
        try:
            return bytes(self._port.read(_READ_BYTES))
        finally:
            self._port.timeout = POLL_SECONDS

    def write(self, data: bytes) -> None:
        """See Transport.write."""
        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            raise DeviceTimeout(
                f"{self.name} took no data for {WRITE_SECONDS:.0f} seconds.",
                hint="check the cable and whether the board has power.",
            ) from error
        except _FAILURES as error:
            raise self._gone(error) from error

    def set_baud(self, rate: int) -> None:
        """See Transport.set_baud; does not wait for what was sent before."""
        try:
            self._port.baudrate = rate
            self.baud = rate
        except ValueError as error:
            raise LinkError(
                f"{self.name} cannot do {rate} baud.", hint="choose another with ?baud=."
            ) from error
        except _FAILURES as error:
            raise self._gone(error) from error

    def send_break(self) -> None:
        """See Transport.send_break."""
        try:
            self._port.break_condition = True
            time.sleep(BREAK_SECONDS)
            self._port.break_condition = False
            self._port.reset_input_buffer()
        except _FAILURES as error:
            raise self._gone(error) from error

    def close(self) -> None:
        """See Transport.close."""
        # close() alone would leave a reader in another thread with a TypeError.
        with suppress(*_FAILURES):
            self._port.cancel_read()
        with suppress(*_FAILURES):
            self._port.close()

    def _gone(self, error: Exception) -> EdgeError:
        return DeviceDisconnected(
            f"the line {self.name} was lost ({_reason(error)}).",
            hint="plug the board in again and repeat; the upload goes on where it stopped.",
        )


def _not_opened(url: str, error: Exception, remote: bool) -> EdgeError:
    number = _errno(error)
    reason = _reason(error)
    if number in _BUSY or "exclusively lock" in reason:
        holder = name_holder(url)
        by = f" by {holder}" if holder else " by another program"
        return DeviceBusy(
            f"{url} is in use{by}.", hint="close that program, or choose another port."
        )
    if number in _DENIED or "PermissionError" in reason or "Permission denied" in reason:
        return DevicePermission(
            f"{url} may not be opened by this user.",
            hint="on Linux: `sudo usermod -a -G dialout $USER`, then log in again.",
        )
    if remote:
        return DeviceNotFound(
            f"nothing answers at {url} ({reason}).",
            hint="check host and port, and that the server is running.",
        )
    return DeviceNotFound(
        f"the port {url} could not be opened ({reason}).",
        hint="`edge-sdk devices` lists the ports of this machine.",
    )


def _errno(error: Exception) -> int | None:
    """The system's error number, which pyserial keeps in one of three places."""
    causes = (error, error.__cause__, error.__context__)
    numbers = (getattr(cause, "errno", None) for cause in causes)
    return next((number for number in numbers if isinstance(number, int)), None)


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".").splitlines()[0][:160]
