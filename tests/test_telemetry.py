"""Joules out of watts: a sum over time, or the reason why there is none."""

from __future__ import annotations

import pytest

from edge_sdk.telemetry import EnergyMeter, Provenance, Reading


def watts(value: float | None, at: float) -> Reading:
    if value is None:
        return Reading.unavailable("W", "a sensor", "it is gone", "plug it in")
    return Reading(value, "W", Provenance.MEASURED, "a sensor", timestamp=at)


def test_watts_between_two_readings_are_joules() -> None:
    meter = EnergyMeter()
    for value, at in ((2.0, 0.0), (4.0, 1.0), (4.0, 3.0)):
        meter.add(watts(value, at))
    total = meter.total()
    assert total.value == pytest.approx(3.0 + 8.0)
    assert total.provenance is Provenance.DERIVED
    assert meter.per_token(11).value == pytest.approx(1.0)


@pytest.mark.parametrize("readings", [1, 2])
def test_what_no_two_moments_span_is_unknown_and_not_zero(readings: int) -> None:
    meter = EnergyMeter()
    for _ in range(readings):
        meter.add(watts(5.0, 7.0))  # the sensor had nothing new in between
    for total in (meter.total(), meter.per_token(3)):
        assert total.value is None and total.reason and total.remedy


def test_a_gap_makes_the_sum_unknown() -> None:
    meter = EnergyMeter()
    for value, at in ((2.0, 0.0), (None, 1.0), (2.0, 2.0)):
        meter.add(watts(value, at))
    assert meter.total().value is None and meter.total().reason == "it is gone"


def test_a_finished_sum_is_kept() -> None:
    total = Reading(3.0, "J", Provenance.MEASURED, "a counter")
    assert EnergyMeter.of(total).total().value == 3.0
