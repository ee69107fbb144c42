"""From "a board is plugged in" to "it runs our image and computes what it should".

It knows the order: choose, check, write, open again, ask, test; it does not know any programmer.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_sdk.boards import BoardImage, BoardPort, FlashPlan, FlashReport, SelfTest
from edge_sdk.device import Device, Progress
from edge_sdk.devices.board.client import Client
from edge_sdk.devices.board.device import BoardDevice
from edge_sdk.devices.board.kinds import KINDS, get_kind
from edge_sdk.devices.board.options import Options
from edge_sdk.devices.board.ports import Port, list_ports
from edge_sdk.devices.board.rate import greet
from edge_sdk.devices.board.transport import PortTransport
from edge_sdk.devices.flash.images import choose_image, list_images, read_image
from edge_sdk.devices.flash.openfpgaloader import OpenFPGALoader
from edge_sdk.devices.flash.programmer import Job, Programmer
from edge_sdk.devices.flash.self_test import run_self_test
from edge_sdk.errors import (
    DeviceNotFound,
    DeviceTimeout,
    EdgeError,
    ImageRejected,
    UnsupportedOperation,
    UsageError,
    VerifyFailed,
)
from edge_sdk.firmware_images.contract.wire import DEFAULT_BAUD

BACK_SECONDS = 10.0
"""How long a board may take to come back after a write: USB chips are found anew."""


@dataclass(frozen=True)
class BoardFlasher:
    """See edge_sdk.boards.Flasher."""

    programmer: Programmer = field(default_factory=OpenFPGALoader)
    root: Path | None = None
    """Where the images are; None: those that come with Edge SDK."""

    def images(self) -> list[BoardImage]:
        """See Flasher.images."""
        return list_images(self.root)

    def boards(self) -> dict[str, str]:
        """See Flasher.boards."""
        return {kind.name: kind.title for kind in KINDS.values()}

    def ports(self) -> list[BoardPort]:
        """See Flasher.ports."""
        ports = list_ports()
        if not ports:
            return []
        with ThreadPoolExecutor(max_workers=len(ports)) as pool:
            return list(pool.map(look_at, ports))

    def plan(
        self,
        board: str | None = None,
        *,
        port: str | None = None,
        image: Path | None = None,
        persist: bool = False,
    ) -> FlashPlan:
        """See Flasher.plan."""
        if board is not None:
            get_kind(board)
        found = self._port(board, port)
        name = board or (found.board if found else None)
        if name is None:
            raise UsageError(
                "it is not clear which board is plugged in.",
                hint=f"name it: `edge-sdk flash {next(iter(KINDS))}`; known are "
                f"{', '.join(KINDS)}.",
            )
        if found is not None and found.build is not None and found.board != name:
            raise ImageRejected(
                f"the board at {found.path} says that it is a {found.board}, not a {name}.",
                hint=f"flash it with `edge-sdk flash {found.board}`, or choose another --port.",
            )
        chosen = choose_image(name, image, self.root)
        running = found is not None and chosen.build is not None and found.build == chosen.build
        already = running and not persist
        if not already:
            self.programmer.check()
        return FlashPlan(chosen, found, persist, already)

    def _port(self, board: str | None, path: str | None) -> BoardPort | None:
        """The port that is meant, or None if there is none to ask at."""
        if path is not None:
            known = {port.path: port for port in list_ports()}
            return _ask(known.get(path, Port(path, path, None)))
        ports = [port for port in self.ports() if port.board is not None]
        fitting = [port for port in ports if board in (None, port.board)]
        if board is not None and ports and not fitting:
            seen = ", ".join(f"{port.board} at {port.path}" for port in ports)
            raise DeviceNotFound(
                f"no {board} is plugged in; found {seen}.", hint="name the board that you have."
            )
        if len(fitting) > 1:
            paths = ", ".join(port.path for port in fitting)
            raise UsageError(
                f"several boards are plugged in: {paths}.", hint="choose one with --port."
            )
        return fitting[0] if fitting else None

    def flash(
        self,
        plan: FlashPlan,
        *,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> FlashReport:
        """See Flasher.flash."""
        report = progress or (lambda what, done, total: None)
        begin = time.monotonic()
        kind = get_kind(plan.image.board)
        if not plan.already:
            # Once more: the file may have changed since the plan was made.
            read_image(plan.image)
            serial = plan.port.usb_serial if plan.port else None
            job = Job(plan.image.path, kind, plan.persist, serial)
            self.programmer.write(job, report, cancel or threading.Event())
        if plan.port is None:
            return FlashReport(plan, None, None, time.monotonic() - begin)
        with self._open_again(plan, report) as device:
            build = device.hello.build
            if not _is_of(build, plan.image):
                wanted = plan.image.build or f"...{plan.image.usercode:08x}"
                raise VerifyFailed(
                    f"the board runs the image {build}, not {wanted}, although it was written.",
                    hint="switch it off and on; if it persists, flash it again.",
                )
            tested = run_self_test(device, report)
        return FlashReport(plan, build, tested, time.monotonic() - begin)

    def _open_again(self, plan: FlashPlan, report: Progress) -> BoardDevice:
        """The board after a write, by its USB serial number: its path may be another one."""
        assert plan.port is not None
        until = time.monotonic() + BACK_SECONDS
        while True:
            report("restart", 0, 0)
            try:
                path = _path_now(plan.port)
                transport = PortTransport(path, DEFAULT_BAUD)
                return BoardDevice.open(transport, plan.port.uri, Options())
            except EdgeError as error:
                if time.monotonic() < until:
                    time.sleep(0.2)
                    continue
                raise VerifyFailed(
                    f"the image was written, but no board answered at {plan.port.path} within "
                    f"{BACK_SECONDS:.0f} seconds ({error.message.rstrip('.')}).",
                    hint="unplug the board, plug it in again and flash it once more: it can be "
                    "written in any state.",
                ) from error

    def self_test(self, device: Device, progress: Progress | None = None) -> SelfTest:
        """See Flasher.self_test."""
        if not isinstance(device, BoardDevice):
            raise UnsupportedOperation(
                f"{device.info.uri} is no board.", hint="open one: serial:auto or sim:ulx3s-85f."
            )
        return run_self_test(device, progress)


def look_at(port: Port) -> BoardPort:
    """What answers at `port`; never raises."""
    try:
        return _ask(port)
    except EdgeError as error:
        return replace(_silent(port), trouble=error.message.rstrip("."))


def _ask(port: Port) -> BoardPort:
    """What answers at `port`; raises DeviceNotFound, DeviceBusy, DevicePermission."""
    client = Client(PortTransport(port.path, DEFAULT_BAUD))
    try:
        hello = greet(client)
        return replace(_silent(port), board=hello.board, build=hello.build)
    except DeviceTimeout:
        # Nothing of ours runs there, which is why one flashes.
        return _silent(port)
    finally:
        client.close()


def _silent(port: Port) -> BoardPort:
    hint = next((kind.name for kind in KINDS.values() if kind.usb_product in port.title), None)
    return BoardPort(port.path, port.uri, port.title, port.serial, hint, None)


def _is_of(build: str, image: BoardImage) -> bool:
    """Whether a board that reports `build` may be running `image`."""
    if image.build is not None:
        return build == image.build
    # A file of the user's own, built elsewhere, has no code or zero.
    return not image.usercode or build.endswith(f"{image.usercode:08x}")


def _path_now(port: BoardPort) -> str:
    if port.usb_serial is None:
        return port.path
    return next((p.path for p in list_ports() if p.serial == port.usb_serial), port.path)


FLASHER = BoardFlasher()
