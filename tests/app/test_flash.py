"""The flash screen: with the real flasher on a virtual board, and every way in which it can end."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import OptionList

from edge_sdk.app.screens.dialogs import Confirm
from edge_sdk.app.screens.flash import FlashScreen, describe, line, outcome
from edge_sdk.boards import BoardImage, BoardPort, FlashPlan, FlashReport, SelfTest
from edge_sdk.device import Cancelled
from edge_sdk.errors import DeviceBusy, MissingExtra
from tests.app.conftest import Driver, running
from tests.app.test_screens import doors, seen, shows

IMAGE = BoardImage("ulx3s-85f", "ULX3S 85F", Path("ulx3s.bit"), "ab" * 32, "00112233deadbeef")
PORT = BoardPort("/dev/ttyX", "serial:id=1", "ULX3S FPGA 85K", "1", "ulx3s-85f", None)
PLAN = FlashPlan(IMAGE, PORT, False, False)
REPORT = FlashReport(PLAN, IMAGE.build, SelfTest(32, 123_456), 3.2)


class FakeFlasher:
    """Plays one board at one port."""

    def __init__(self) -> None:
        self.fail: Exception | None = None
        self.gate: threading.Event | None = None
        self.written: list[FlashPlan] = []
        self.present = [PORT]

    def images(self) -> list[BoardImage]:
        return [IMAGE]

    def boards(self) -> dict[str, str]:
        return {"ulx3s-85f": "ULX3S 85F", "ulx3s-12f": "ULX3S 12F"}

    def ports(self) -> list[BoardPort]:
        return self.present

    def plan(self, board: Any = None, *, port: Any = None, persist: bool = False) -> FlashPlan:
        if self.fail is not None:
            raise self.fail
        return replace(PLAN, persist=persist, port=PORT if port else None)

    def flash(self, plan: FlashPlan, *, progress: Any, cancel: threading.Event) -> FlashReport:
        progress("loading", 40, 100)
        while self.gate is not None and not self.gate.wait(0.01):
            if cancel.is_set():
                raise Cancelled
        if self.fail is not None:
            raise self.fail
        self.written.append(plan)
        return replace(REPORT, plan=plan, build=IMAGE.build if plan.port else None)


async def opened(driver: Driver, flasher: Any) -> FlashScreen:
    doors(driver, find_flasher=lambda: flasher)
    await driver.press("f7")
    await shows(driver, FlashScreen)
    screen = driver.app.screen
    assert isinstance(screen, FlashScreen)
    await driver.until(lambda: screen.query_one(OptionList).option_count)
    return screen


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_from_the_list_to_a_conversation_on_the_board(size: tuple[int, int]) -> None:
    async def scenario() -> None:
        flasher = FakeFlasher()
        async with running(size=size) as driver:
            await driver.ask("one")
            await opened(driver, flasher)
            assert "at /dev/ttyX" in seen(driver)
            await driver.press("enter")
            await driver.until(lambda: "w writes it into the FPGA" in seen(driver))
            assert "SHA-256 abababababababab" in seen(driver)
            flasher.gate = threading.Event()
            await driver.press("w")
            await driver.until(lambda: "40 %  loading" in seen(driver))
            flasher.gate.set()
            await driver.until(lambda: "Self-test: 32 tokens equal" in seen(driver))
            assert "build 00112233deadbeef" in seen(driver)
            await driver.press("t")
            await driver.until(lambda: driver.app.engine.options.device == "serial:id=1")
            await driver.until(lambda: driver.prompt.accepts)
            assert len(flasher.written) == 1

    asyncio.run(scenario())


def test_a_port_that_the_conversation_holds_is_let_go_and_taken_again() -> None:
    async def scenario() -> None:
        async with running() as driver:
            driver.app.engine.switch("serial:id=1", "tern")
            await driver.until(lambda: driver.app.engine.options.device == "serial:id=1")
            await driver.until(lambda: driver.prompt.accepts)
            await opened(driver, FakeFlasher())
            assert driver.app.engine._worker._stage is None
            await driver.press("escape")
            await driver.until(lambda: driver.prompt.accepts)
            await driver.ask("one")

    asyncio.run(scenario())


def test_flash_memory_is_written_after_asking_only() -> None:
    async def scenario() -> None:
        flasher = FakeFlasher()
        async with running() as driver:
            await opened(driver, flasher)
            await driver.press("enter")
            await driver.until(lambda: "until power is lost" in seen(driver))
            await driver.press("p")
            await driver.until(lambda: "w writes it into SPI flash" in seen(driver))
            await driver.press("w")
            await shows(driver, Confirm)
            await driver.press("escape")
            await shows(driver, FlashScreen)
            assert flasher.written == []
            await driver.press("w")
            await shows(driver, Confirm)
            await driver.press("y")
            await driver.until(lambda: flasher.written)
            assert flasher.written[0].persist

    asyncio.run(scenario())


def test_writing_is_stopped_before_the_screen_is_left() -> None:
    async def scenario() -> None:
        flasher = FakeFlasher()
        async with running() as driver:
            await opened(driver, flasher)
            await driver.press("enter")
            await driver.until(lambda: "w writes it" in seen(driver))
            flasher.gate = threading.Event()
            await driver.press("w")
            await driver.until(lambda: "esc stops" in seen(driver))
            await driver.press("escape")
            await driver.until(lambda: "Stopped. The board can be written again" in seen(driver))
            assert flasher.written == []
            await driver.press("escape")
            await driver.until(lambda: driver.app.screen is driver.screen)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MissingExtra("no programmer is installed.", hint="run pip."), "Run pip."),
        (DeviceBusy("the port is in use."), "The port is in use."),
        (ZeroDivisionError("oops"), "Something unexpected went wrong: ZeroDivisionError"),
    ],
)
def test_what_goes_wrong_is_a_sentence(error: Exception, words: str) -> None:
    async def scenario() -> None:
        flasher = FakeFlasher()
        async with running() as driver:
            await opened(driver, flasher)
            flasher.fail = error
            await driver.press("enter")
            await driver.until(lambda: words in seen(driver))
            flasher.fail = None
            await driver.press("enter")
            await driver.until(lambda: "w writes it" in seen(driver))
            flasher.fail = error
            await driver.press("w")
            await driver.until(lambda: words in seen(driver))

    asyncio.run(scenario())


def test_without_a_board_it_says_what_to_do() -> None:
    async def scenario() -> None:
        flasher = FakeFlasher()
        flasher.present = []
        async with running() as driver:
            await opened(driver, flasher)
            await driver.until(lambda: "No USB serial port was found" in seen(driver))
            flasher.present = [PORT]
            await driver.press("r")
            await driver.until(lambda: "/dev/ttyX" in seen(driver))

    asyncio.run(scenario())


def test_words_for_every_case() -> None:
    from edge_sdk.app.screens.flash import Target

    assert "runs this image already" in describe(replace(PLAN, already=True))
    assert "nobody asked" in outcome(replace(REPORT, build=None, self_test=None))
    assert "Nothing had to be" in outcome(replace(REPORT, plan=replace(PLAN, already=True)))
    busy = replace(PORT, board=None, trouble="in use")
    assert "unknown board  at /dev/ttyX  ·  in use  ·  no image" in str(
        line(Target(None, busy, "t\x1b[2J", None))
    )


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from tests.devices.flash.test_flasher import make_bench

    yield from make_bench(tmp_path, monkeypatch)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_the_real_flasher_on_a_virtual_board(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SERIAL_PORTS", bench.path)
    found: list[str] = []

    async def scenario() -> None:
        async with running() as driver:
            screen = await opened(driver, bench.flasher)
            options = screen.query_one(OptionList)
            await driver.until(lambda: bench.path in str(options.get_option_at_index(0).prompt))
            await driver.press("enter")
            await driver.until(lambda: "w writes it into the FPGA" in seen(driver))
            await driver.press("w")
            await driver.until(lambda: "Self-test: 32 tokens equal" in seen(driver))
            found.append(screen._uri or "")
            await driver.press("escape")

    asyncio.run(scenario())
    assert found[0].startswith("serial:")
    assert (bench.folder / "sram.bit").exists() or any(bench.folder.iterdir())
