"""The panel: provenance as words, unknown with its reason, everything on small screens too."""

from __future__ import annotations

import asyncio

import pytest

from edge_sdk.app.widgets.meter import Meter
from edge_sdk.telemetry import Provenance, Reading, Telemetry
from tests.app.conftest import Driver, running
from tests.app.fakes import NO_POWER, FakeChat, FakeDevice

NO_ENERGY = Reading.unavailable("J", NO_POWER.source, NO_POWER.reason or "", NO_POWER.remedy or "")


def row(driver: Driver, id: str) -> str:
    return " ".join(driver.text_of(f"#{id}").split())


def test_every_figure_has_its_provenance_as_a_word() -> None:
    async def scenario() -> None:
        async with running() as driver:
            await driver.ask("hi")
            await driver.until(lambda: "12.3" in row(driver, "power"))
            assert row(driver, "power") == "now 12.3 W derived"
            assert row(driver, "energy") == "this answer 4.20 J derived"
            assert row(driver, "per-token") == "per token 840 mJ derived"
            assert row(driver, "process-memory") == "process 212 MiB measured"
            assert row(driver, "machine-memory") == "machine 2.1 of 8.0 GiB measured"
            assert row(driver, "state") == "state 16 KiB any length"
            assert row(driver, "decode") == "answering 41.2 tok/s measured"
            assert row(driver, "prefill") == "reading 70.0 tok/s measured"
            assert row(driver, "first-token") == "first token 120 ms measured"
            assert row(driver, "context") == "used 38 of 1024 tokens"
            assert row(driver, "temperature") == "temperature 51.5 °C measured"
            assert row(driver, "busy") == "busy 12.0 % derived"
            await driver.until(lambda: row(driver, "mean") == "mean 12.3 W derived")
            assert row(driver, "rest") == "at rest 12.3 W derived"
            seen = driver.seen()
            for words in ("Example CPU", "kernels: clang, AVX2", "tern, 31.5 M parameters"):
                assert words in seen

    asyncio.run(scenario())


def test_an_estimate_has_its_sign() -> None:
    async def scenario() -> None:
        power = Reading(3.0, "W", Provenance.ESTIMATED, "model of the board", "board")
        async with running(device=FakeDevice(power)) as driver:
            await driver.until(lambda: row(driver, "power") == "now ≈ 3.00 W estimated")

    asyncio.run(scenario())


def test_without_a_sensor_it_says_so_and_why_and_what_helps() -> None:
    async def scenario() -> None:
        async with running(FakeChat(energy=NO_ENERGY), FakeDevice(NO_POWER)) as driver:
            await driver.ask("hi")
            await driver.until(lambda: "unavailable" in row(driver, "power"))
            assert row(driver, "power") == "now – unavailable"
            assert row(driver, "per-token") == "per token – unavailable"
            assert "needs root since CVE" in " ".join(driver.text_of("#history").split())
            for id in ("net", "rest", "mean"):
                assert not driver.screen.query_one(f"#{id}").display
            await driver.press("tab")
            assert driver.screen.focused is driver.screen.query_one("#power")
            details = driver.text_of("#details")
            assert "RAPL needs root since CVE-2020-8694; no power monitor chip" in details
            assert "sudo chmod a+r" in details
            assert driver.screen.query_one("#power", Meter).tooltip is not None
            await driver.press("escape")
            assert driver.screen.focused is driver.prompt
            assert "Tab to a figure" in driver.text_of("#details")

    asyncio.run(scenario())


@pytest.mark.parametrize("available", [True, False])
def test_a_small_screen_has_one_line_and_the_panel_on_demand(available: bool) -> None:
    async def scenario() -> None:
        device = FakeDevice() if available else FakeDevice(NO_POWER)
        async with running(device=device, size=(80, 24)) as driver:
            await driver.ask("hi")
            words = "12.3 W derived" if available else "power unavailable"
            await driver.until(lambda: words in driver.seen())
            await driver.until(lambda: "38 of 1024" in driver.seen())
            assert "POWER" not in driver.seen()
            await driver.press("f2")
            await driver.until(lambda: "POWER" in driver.seen())
            await driver.press("f2")
            await driver.until(lambda: "POWER" not in driver.seen())

    asyncio.run(scenario())


def test_the_panel_can_be_folded_on_a_large_screen() -> None:
    async def scenario() -> None:
        async with running() as driver:
            await driver.until(lambda: "POWER" in driver.seen())
            await driver.press("f2")
            await driver.until(lambda: "POWER" not in driver.seen())
            await driver.until(lambda: "12.3 W derived" in driver.seen())

    asyncio.run(scenario())


def test_a_board_tells_its_own_speed() -> None:
    async def scenario() -> None:
        device = FakeDevice()
        speed = Reading(11.4, "tok/s", Provenance.DERIVED, "4 M cycles a token at 50 MHz", "board")
        usual = device.telemetry
        device.telemetry = lambda: Telemetry(  # type: ignore[method-assign]
            {**usual().readings, "board_speed": speed}
        )
        async with running(device=device) as driver:
            expected = "on the board 11.4 tok/s derived"
            await driver.until(lambda: row(driver, "board-speed") == expected)

    asyncio.run(scenario())
