"""The telemetry thread: history, energy of an interval, idle power, a device that fails."""

from __future__ import annotations

import threading

import pytest

from edge_sdk.monitor import Monitor
from edge_sdk.telemetry import Provenance, Reading, Telemetry


def watts(value: float | None, timestamp: float = 0.0) -> Telemetry:
    if value is None:
        return Telemetry({"power": Reading.unavailable("W", "fake", "no sensor", "add one.")})
    reading = Reading(value, "W", Provenance.MEASURED, "fake", timestamp=timestamp)
    return Telemetry({"power": reading})


def monitor_of(*values: Telemetry) -> Monitor:
    readings = iter(values)
    return Monitor(lambda: next(readings))


def test_the_thread_polls_until_it_is_stopped() -> None:
    polled = threading.Semaphore(0)

    def read() -> Telemetry:
        polled.release()
        return watts(5.0)

    monitor = Monitor(read, period=0.001)
    assert monitor.latest.readings == {}
    monitor.start()
    monitor.start()
    for _ in range(5):
        assert polled.acquire(timeout=60)
    monitor.stop()
    assert monitor.latest["power"].value == 5.0
    assert set(monitor.history()) == {5.0}


def test_energy_of_an_interval() -> None:
    monitor = monitor_of(watts(2.0, 9.0), watts(10.0, 10.0), watts(20.0, 11.0), watts(10.0, 12.0))
    monitor.sample()
    monitor.begin()
    monitor.sample()
    meter = monitor.end()
    assert meter.total().value == pytest.approx(30.0)
    assert meter.per_token(10).value == pytest.approx(3.0)
    assert monitor.idle().value == pytest.approx(2.0)


def test_a_gap_makes_the_energy_unknown_with_its_reason() -> None:
    monitor = monitor_of(watts(10.0, 1.0), watts(None), watts(10.0, 3.0))
    monitor.begin()
    monitor.sample()
    total = monitor.end().total()
    assert (total.value, total.reason) == (None, "no sensor")
    assert monitor.history() == [10.0, 10.0]


def test_history_is_short() -> None:
    readings = iter(watts(float(n)) for n in range(9))
    monitor = Monitor(lambda: next(readings), history=3)
    for _ in range(9):
        monitor.sample()
    assert monitor.history() == [6.0, 7.0, 8.0]


def test_an_error_becomes_unavailable_readings() -> None:
    def read() -> Telemetry:
        raise OSError("gone")

    monitor = Monitor(read)
    reading = monitor.sample()["power"]
    assert (reading.value, reading.unit) == (None, "W")
    assert "gone" in (reading.reason or "")
    assert monitor.idle().value is None
    assert monitor.end().total().value is None


def test_every_reading_that_was_there_stays_listed_after_an_error() -> None:
    good = Telemetry({"temperature": Reading(40.0, "°C", Provenance.MEASURED, "fake")})
    answers = iter([good])
    monitor = Monitor(lambda: next(answers))
    first = monitor.sample()
    assert first["power"].reason == "this device reports no power"
    second = monitor.sample()
    assert second["temperature"].value is None
    assert second["temperature"].unit == "°C"


def test_a_fresh_power_reading_is_not_taken_again() -> None:
    calls = 0

    def read() -> Telemetry:
        nonlocal calls
        calls += 1
        # A time stamp far in the future stays fresh however slow the machine is.
        return watts(3.0, 1e12)

    monitor = Monitor(read)
    assert [monitor.power().value for _ in range(50)] == [3.0] * 50
    assert calls == 1


def test_idle_without_a_sensor_gives_the_sensors_reason() -> None:
    monitor = monitor_of(watts(None))
    assert monitor.idle().reason == "no power was read at rest"
    monitor.sample()
    assert monitor.idle().reason == "no sensor"


def test_an_answer_does_not_wait_for_a_sensor_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.monitor.PATIENCE_SECONDS", 0.001)
    entered, release = threading.Event(), threading.Event()
    calls = 0

    def read() -> Telemetry:
        nonlocal calls
        calls += 1
        if calls > 1:
            entered.set()
            release.wait(60)
        return watts(float(calls))

    monitor = Monitor(read, period=0.001)
    monitor.sample()
    monitor.start()
    assert entered.wait(60)
    assert monitor.power().value == 1.0
    assert monitor.history() == [1.0]
    release.set()
    monitor.stop()
