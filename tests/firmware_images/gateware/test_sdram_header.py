"""The chip model in C++ says the same as the one in Python, clock by clock and word by word."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sdk.firmware_images.gateware.memory.chip import Chip
from tests.firmware_images.gateware.sdram_chip import Pins, SdramChip
from tests.firmware_images.gateware.test_sdram import HZ, SLOWER, SMALL, record

HEADER = Path(__file__).parents[3] / "firmware_images/gateware/simulation/sdram_chip.h"
DRIVER = r"""
#include <cstdio>
#include "sdram_chip.h"

int main(int, char **arguments) {
  std::FILE *in = std::fopen(arguments[1], "rb");
  double number[10];
  uint32_t size[5], pin[10];
  std::fread(size, sizeof size, 1, in);
  std::fread(number, sizeof number, 1, in);
  double hz;
  std::fread(&hz, sizeof hz, 1, in);
  edge::SdramChip chip({hz, size[0], size[1], size[2], size[3], size[4], number[0], number[1],
                        number[2], number[3], number[4], number[5], number[6], number[7],
                        number[8], number[9]});
  while (std::fread(pin, sizeof pin, 1, in) == 1) {
    edge::SdramOutputs out = chip.step({pin[0] != 0, pin[1] != 0, pin[2] != 0, pin[3] != 0,
                                        pin[4] != 0, pin[5], pin[6], pin[7], pin[8],
                                        pin[9] != 0});
    if (out.drives) std::printf("%u\n", out.dq);
    else std::printf("-\n");
  }
  std::printf("%s\n", chip.violation().c_str());
}
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("c++") or shutil.which("clang++") or shutil.which("g++")
    if not compiler:
        pytest.skip("needs a C++ compiler (c++, clang++ or g++)")
    folder = tmp_path_factory.mktemp("sdram")
    (folder / "driver.cpp").write_text(DRIVER)
    program = folder / "driver"
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-result"]
    subprocess.run(
        [compiler, "-std=c++14", "-O1", *warnings, f"-I{HEADER.parent}", "driver.cpp", "-odriver"],
        cwd=folder,
        check=True,
    )
    return program


def compare(driver: Path, chip: Chip, trace: list[Pins], folder: Path) -> str:
    """Both models see `trace`; the violation that they agree on."""
    model = SdramChip(chip, HZ)
    words = [model.step(pins) for pins in trace]
    times = (chip.t_rcd, chip.t_rp, chip.t_ras, chip.t_rc, chip.t_rrd, chip.t_rfc, chip.t_wr)
    data = struct.pack(
        "<5I11d",
        *(chip.bits, chip.row_bits, chip.column_bits, chip.bank_bits, chip.cas),
        *(*times, chip.t_mrd, chip.refresh_interval, chip.power_up, HZ),
    )
    data += b"".join(
        struct.pack("<10I", p.cke, p.cs, p.ras, p.cas, p.we, p.ba, p.a, p.dqm, p.dq, p.oe)
        for p in trace
    )
    (folder / "trace").write_bytes(data)
    output = subprocess.run(
        [driver, folder / "trace"], capture_output=True, text=True, check=True
    ).stdout
    *said, violation = output.split("\n")[:-1]
    assert said == ["-" if word is None else str(word) for word in words]
    assert violation == model.violation
    return violation


def test_a_good_controller_and_ones_for_faster_chips(driver: Path, tmp_path: Path) -> None:
    trace = record(SMALL, steps=120)

    assert compare(driver, SMALL, trace, tmp_path) == ""
    for name, (value, message) in SLOWER.items():
        assert message in compare(driver, replace(SMALL, **{name: value}), trace, tmp_path)


def random_pins(rng: random.Random) -> Pins:
    """Mostly commands that make sense, so that the rules behind the first ones are met."""
    code = rng.choice([(0, 0, 0)] * 4 + [(1, 0, 0), (0, 1, 0), (0, 1, 1), (1, 0, 1), (0, 0, 1)])
    we = code == (0, 1, 1)
    return Pins(
        *(rng.random() < 0.98, rng.random() < 0.98, *code),
        ba=rng.randrange(4),
        a=rng.randrange(16) | (rng.random() < 0.1) << 10,
        dqm=rng.random() < 0.02,
        dq=rng.getrandbits(16),
        oe=we ^ (rng.random() < 0.02),
    )


@pytest.mark.parametrize("spoil", [random_pins, None])
def test_spoiled_commands(
    driver: Path, tmp_path: Path, spoil: Callable[[random.Random], Pins] | None
) -> None:
    """A good start, then one clock of it repeated, left out or replaced, or noise."""
    good = record(SMALL, steps=10)
    seen = set()
    for seed in range(60):
        rng = random.Random(seed)
        trace = list(good)
        at = rng.randrange(len(trace))
        if spoil:
            trace[at:] = [spoil(rng) for _ in range(100)]
        elif seed % 2:
            trace[at : at + rng.randint(1, 8)] = []
        else:
            field = rng.choice(["ras", "cas", "we", "oe", "dqm", "cs"])
            trace[at] = replace(trace[at], **{field: 1 - getattr(trace[at], field) % 2})
        violation = compare(driver, SMALL, trace, tmp_path)
        seen.add(violation.partition(": ")[2])
    assert len(seen) > 5
