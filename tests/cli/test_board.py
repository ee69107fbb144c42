"""`edge-sdk board sim`, `edge-sdk flash` and a chat on what was flashed, as two terminals would."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.devices.flash.bench import KIND, bitstream, fake_programmer, fake_settings

Start = Callable[..., str]


@pytest.fixture
def board(command_environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """board("--port", "0") -> the URI of a virtual board that runs in another process."""
    with ExitStack() as stack:

        def start(*words: str) -> str:
            command = ["board", "sim", "ulx3s-85f", "--json", "--no-pace", *words]
            return stack.enter_context(_running(command, command_environment, tmp_path))

        yield start


@contextmanager
def _running(words: list[str], environment: dict[str, str], folder: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_sdk", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate()[1].decode())
    yield json.loads(line)["uri"]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, b"")


def test_two_terminals(run_command: Run, board: Start) -> None:
    uri = board() if sys.platform != "win32" else board("--port", "0")
    greedy = ("chat", "--json", "--temperature", "0", "--max-tokens", "8")
    over_the_line = run_command(*greedy, "--device", uri, stdin=b"Hello!")
    in_process = run_command(*greedy, "--device", "sim:ulx3s-85f?pace=0", stdin=b"Hello!")

    assert (over_the_line.returncode, in_process.returncode) == (0, 0)
    first, second = (json.loads(done.stdout) for done in (over_the_line, in_process))
    assert first["text"] == second["text"]
    assert first["answer_tokens"] > 0
    assert first["device"] == uri
    plain = run_command("chat", "--device", uri, stdin=b"Hello!").stderr.decode()
    assert "the board itself " in plain
    speed = first["readings"]["board_speed"]
    assert speed["unit"] == "tok/s"
    assert speed["value"] > 0


def test_flash_and_then_chat_on_what_was_flashed(
    run_command: Run, board: Start, tmp_path: Path
) -> None:
    folder, image = tmp_path / "board", tmp_path / "own.bit"
    image.write_bytes(bitstream(usercode=0xCAFE0001))
    uri = board("--folder", str(folder))
    settings = fake_settings(fake_programmer(tmp_path), folder)
    flash = ("flash", KIND.name, "--port", uri.removeprefix("serial:"), "--image", str(image))
    done = run_command(*flash, **settings)
    assert (done.returncode, done.stderr) == (0, b"")
    said = done.stdout.decode()
    assert "Wrote own.bit to ulx3s-85f (SRAM, until power is lost)." in said
    assert "It runs build 00000000cafe0001; 32 tokens equal the integer model's" in said
    assert (folder / "sram.bit").read_bytes() == image.read_bytes()

    chat = run_command("chat", "--json", "--max-tokens", "4", "--device", uri, stdin=b"Hello!")
    assert chat.returncode == 0
    assert json.loads(chat.stdout)["device"] == uri


def test_spi_flash_is_not_written_without_a_yes(
    run_command: Run, board: Start, tmp_path: Path
) -> None:
    folder, image = tmp_path / "board", tmp_path / "own.bit"
    image.write_bytes(bitstream())
    uri = board("--folder", str(folder))
    settings = fake_settings(fake_programmer(tmp_path), folder)
    flash = ["flash", KIND.name, "--port", uri.removeprefix("serial:"), "--image", str(image)]
    done = run_command(*flash, "--persist", **settings)
    assert done.returncode == 2
    assert b"has to be confirmed" in done.stderr
    assert not (folder / "flash.bit").exists()

    done = run_command(*flash, "--persist", "--yes", "--json", **settings)
    report = json.loads(done.stdout)
    assert (done.returncode, report["plan"]["persist"]) == (0, True)
    assert report["self_test"]["tokens"] == 32
    assert (folder / "flash.bit").read_bytes() == image.read_bytes()


def test_a_failing_programmer_ends_with_its_exit_code(
    run_command: Run, board: Start, tmp_path: Path
) -> None:
    image = tmp_path / "own.bit"
    image.write_bytes(bitstream())
    port = board().removeprefix("serial:")
    settings = fake_settings(fake_programmer(tmp_path), tmp_path, "not found")
    flash = ["flash", KIND.name, "--port", port, "--image", str(image)]
    done = run_command(*flash, "--json", **settings)
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"] == "DeviceNotFound"
    image.write_bytes(bitstream()[:-1])
    assert run_command(*flash, **settings).returncode == 6


def test_the_list_of_boards(run_command: Run, board: Start) -> None:
    port = board().removeprefix("serial:")
    done = run_command("flash", "--list", "--json", EDGE_SERIAL_PORTS=port)
    told = json.loads(done.stdout)
    assert set(told["boards"]) >= {"ulx3s-85f", "ulx3s-12f"}
    (found,) = [one for one in told["ports"] if one["path"] == port]
    assert (found["board"], found["trouble"]) == ("ulx3s-85f", None)
    plain = run_command("flash", "--list", EDGE_SERIAL_PORTS=port).stdout.decode()
    assert "BOARD" in plain
    assert port in plain


def test_figures_of_a_link(run_command: Run, board: Start, tiny_model: Path) -> None:
    uri = board("--port", "0")
    measure = ("board", "measure", uri, "--model", str(tiny_model), "--tokens", "4")
    done = run_command(*measure)
    said = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert "a virtual board: its line and its clock are simulated" in said
    assert "of the line's rate" in said
    figures = json.loads(run_command(*measure, "--json").stdout)
    assert figures["simulated"]
    assert figures["upload_seconds"] is None
    assert figures["link_overhead"] > 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["board"], 2),
        (["board", "sim"], 2),
        (["board", "sim", "arduino"], 3),
        (["board", "sim", "ulx3s-85f", "--fault", "rain=1"], 2),
        (["board", "sim", "ulx3s-85f", "--engine", "steam"], 2),
        (["board", "sim", "ulx3s-85f", "--port", "99999"], 4),
        (["board", "measure", "cpu", "--tokens", "0"], 2),
        (["flash", "arduino"], 3),
        (["flash", "ulx3s-85f", "--port", "/dev/no-such-port"], 3),
    ],
)
def test_what_is_wrong_is_told(run_command: Run, words: list[str], code: int) -> None:
    done = run_command(*words)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(b"edge-sdk: ")
    assert b"Traceback" not in done.stderr
