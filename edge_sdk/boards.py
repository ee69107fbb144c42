"""What there is to do with FPGA boards besides running models: flash, simulate, measure.

It knows plain values and three protocols; who does the work is found by entry point, in the group
`edge_sdk.boards`. It does not know ports, bitstreams or programmers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from edge_sdk.device import Device, Progress
from edge_sdk.errors import DeviceNotFound
from edge_sdk.registry import find_entry

GROUP = "edge_sdk.boards"


@dataclass(frozen=True)
class BoardImage:
    """A bitstream for one kind of board."""

    board: str
    """E.g. ulx3s-85f."""
    title: str
    """The board in words."""
    path: Path
    sha256: str
    """Hex."""
    build: str | None
    """Build id, 16 hex digits, that a board running it reports; None for a user's own file."""
    usercode: int | None = None
    """32 bits in a user's own file: our builds write the low half of the build id there."""
    details: dict[str, str] = field(default_factory=dict)
    """What else its manifest tells: clock, resources, tool versions."""


@dataclass(frozen=True)
class BoardPort:
    """A serial port, and what answers there."""

    path: str
    uri: str
    """The device's URI, once an image of ours runs."""
    title: str
    usb_serial: str | None
    board: str | None
    """The kind of board: it said so itself, or else its USB chip's text hints at it."""
    build: str | None
    """Build id of the image that runs; None if none of ours answers."""
    trouble: str | None = None
    """Why nothing is known of it: in use, no permission."""


@dataclass(frozen=True)
class FlashPlan:
    """What `Flasher.flash` will do; nothing has been touched yet."""

    image: BoardImage
    port: BoardPort | None
    """None: the programmer finds the board, and there is no port to check it at."""
    persist: bool
    already: bool
    """The image runs already, so that nothing has to be written."""


@dataclass(frozen=True)
class SelfTest:
    """A small model was run on the board and on the integer model, and compared."""

    tokens: int
    """How many tokens agreed, all scores included."""
    cycles: int
    """Clock cycles that the board took."""


@dataclass(frozen=True)
class FlashReport:
    """How it went."""

    plan: FlashPlan
    build: str | None
    """What the board says that it runs; None where there was no port to ask at."""
    self_test: SelfTest | None
    seconds: float


class Flasher(Protocol):
    """Puts images onto boards. Nothing raises but EdgeError."""

    def images(self) -> list[BoardImage]:
        """The images at hand."""

    def boards(self) -> dict[str, str]:
        """Every board that can be flashed: name to title, with or without an image."""

    def ports(self) -> list[BoardPort]:
        """Every serial port with a USB chip and what answers there; takes up to two seconds."""

    def plan(
        self,
        board: str | None = None,
        *,
        port: str | None = None,
        image: Path | None = None,
        persist: bool = False,
    ) -> FlashPlan:
        """Choose board, port and image and check all of them; None: what is plugged in.

        Raises NotFound, DeviceNotFound, ImageRejected, UsageError where it is not clear which
        board is meant, MissingExtra without a programmer.
        """

    def flash(
        self,
        plan: FlashPlan,
        *,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> FlashReport:
        """Write, open the board again, check its build id, run the self-test.

        Raises VerifyFailed if the board runs something else or computes something else, and
        whatever the programmer meets.
        """

    def self_test(self, device: Device, progress: Progress | None = None) -> SelfTest:
        """Compare an open board with the integer model; replaces the model that it holds."""


class Simulator(Protocol):
    """Serves virtual boards."""

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
        """Serve `board` until `stop` is set.

        port: a TCP port of 127.0.0.1, 0 for any free one; None: a pseudo-terminal. folder: where
        its images are flashed to. pace: keep the real board's time. ready: called with the
        device's URI and what answers, once it does.
        """


Measure = Callable[..., dict[str, Any]]
"""measure(uri, model, *, tokens, progress) -> figures of the link, as `--json` prints them."""


def flasher() -> Flasher:
    """Who flashes boards."""
    return cast(Flasher, _load("flash"))


def simulator() -> Simulator:
    """Who simulates boards."""
    return cast(Simulator, _load("simulate"))


def measure() -> Measure:
    """Who measures a board's link."""
    return cast(Measure, _load("measure"))


def _load(name: str) -> object:
    entry = find_entry(GROUP, name)
    if entry is None:
        raise DeviceNotFound(
            f"nothing is installed that can {name} boards.", hint="reinstall edge-sdk."
        )
    return entry.load()
