"""RAPL: wrap-around, permission, zones that overlap, reads that come too close."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge_sdk.devices.power.rapl import NEEDS_ROOT, Rapl
from edge_sdk.telemetry import Provenance
from tests.power.trees import rapl_zone, write


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_packages_are_summed_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    clock = Clock()
    rapl_zone(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    rapl_zone(tmp_path, "intel-rapl:1", "package-1", 5_000_000)
    rapl_zone(tmp_path, "intel-rapl:0:0", "core", 0)
    rapl_zone(tmp_path, "intel-rapl:2", "psys", 0)
    rapl = Rapl(tmp_path, clock)
    clock.now += 0.5
    rapl_zone(tmp_path, "intel-rapl:0", "package-0", 3_000_000)
    rapl_zone(tmp_path, "intel-rapl:1", "package-1", 6_000_000)
    rapl_zone(tmp_path, "intel-rapl:0:0", "core", 900_000)
    rapl_zone(tmp_path, "intel-rapl:2", "psys", 900_000)
    reading = rapl.read()
    assert reading.value == pytest.approx(6.0)
    assert (reading.provenance, reading.scope) == (Provenance.DERIVED, "package")
    assert reading.period == pytest.approx(0.5)
    assert "2 CPU packages" in reading.source


def test_counter_wraps(tmp_path: Path) -> None:
    clock = Clock()
    rapl_zone(tmp_path, "intel-rapl:0", "package-0", 9_500_000, span=10_000_000)
    rapl = Rapl(tmp_path, clock)
    clock.now += 1.0
    rapl_zone(tmp_path, "intel-rapl:0", "package-0", 500_000, span=10_000_000)
    assert rapl.read().value == pytest.approx(1.0)


def test_two_reads_within_a_millisecond_keep_the_figure(tmp_path: Path) -> None:
    clock = Clock()
    zone = rapl_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    rapl = Rapl(tmp_path, clock)
    assert rapl.read().reason == "the RAPL counters were read twice within 1 ms"
    clock.now += 1.0
    write(zone, energy_uj=4_000_000)
    first = rapl.read()
    clock.now += 0.0005
    assert rapl.read() is first


def test_a_counter_that_stands_still_is_unknown_not_zero(tmp_path: Path) -> None:
    clock = Clock()
    rapl_zone(tmp_path, "intel-rapl:0", "package-0", 7)
    rapl = Rapl(tmp_path, clock)
    clock.now += 1.0
    reading = rapl.read()
    assert reading.value is None
    assert reading.reason == "the RAPL counters do not move"


def test_permission_denied_names_the_cause_and_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = rapl_zone(tmp_path, "intel-rapl:0", "package-0", 7)
    (zone / "energy_uj").chmod(stat.S_IWUSR)
    original = Path.read_text

    def denied(self: Path, *args: str, **kwargs: str) -> str:
        # Root reads anything, so the denial is played where tests run as root.
        if self.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", denied)
    reading = Rapl(tmp_path).read()
    assert reading.value is None
    assert reading.reason == NEEDS_ROOT
    assert "sudo chmod" in (reading.remedy or "")


def test_rights_given_later_are_used(tmp_path: Path) -> None:
    clock = Clock()
    rapl = Rapl(tmp_path, clock)
    assert rapl.read().reason == "no RAPL energy counter"
    zone = rapl_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    assert "first look" in (rapl.read().reason or "")
    clock.now += 1.0
    write(zone, energy_uj=2_000_000)
    assert rapl.read().value == pytest.approx(2.0)


@pytest.mark.parametrize("content", ["", "many", "12 34", "\x00"])
def test_a_broken_counter_is_unavailable(tmp_path: Path, content: str) -> None:
    zone = rapl_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    write(zone, energy_uj=content)
    assert Rapl(tmp_path).read().value is None
