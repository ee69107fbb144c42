"""Takes the app's figures: first paint, key echo, stop, meters, drain, memory.

It knows what is done on the terminal and how the figures are made; it does not know how they are
printed, nor what the app looks like beyond a few words that it shows.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from edge_sdk.app.bench.program import QUESTION, Run
from edge_sdk.app.bench.terminal import BenchTerminal
from edge_sdk.benchmark import Spread
from edge_sdk.errors import EdgeError, UsageError

SIZE = (120, 40)
FIRST_FRAME = ("Edge SDK", "sk something", "palette")
"""Title, prompt and the end of the footer: with the last of them the frame is whole."""
READY = r"\x1b\[1;\d+H(?:(?!\x1b\[\d+;\d+H).)*ready"
"""The word in the first row: the model may write it too."""
ECHOES = "абвгдежзиклмнопрстуфхцчшщъыьэюя"
"""Letters that the model does not write, so that one on the screen is the key that was pressed."""
CLEAR, ESCAPE, ENTER = "\x15", "\x1b", "\r"

HISTORY_TOKENS = 10_000
HISTORY_TURN = 250
PACE = 200.0
"""Tokens a second while keys are pressed."""
PACED_ANSWER = 1000
DRAIN_ANSWER = 4096
KEY_PAUSE = 0.08
"""Seconds between two keys, about: a fast typist's."""


@dataclass(frozen=True)
class Effort:
    """How often things are measured, and for how long."""

    starts: int = 5
    keys: int = 200
    stops: int = 10
    idle_seconds: float = 15.0
    drains: int = 3

    def check(self) -> None:
        """Raise UsageError for a number below 1."""
        if min(self.starts, self.keys, self.stops, self.drains) < 1 or self.idle_seconds <= 0:
            raise UsageError("each figure is taken once or more.", hint="leave the number out.")


def measure_app(model: str, device: str, effort: Effort) -> dict[str, Any]:
    """All figures as `bench --app --json` prints them: seconds, bytes, shares, tokens a second.

    model: path of a packed file. Everything is written to a folder of its own, so the user's
    history is not touched. Raises EdgeError where the app does not do what is expected of it, and
    UsageError for an odd effort.
    """
    effort.check()
    run = Run(model, device, HISTORY_TURN)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        home = {"EDGE_SDK_HOME": folder}
        figures: dict[str, Any] = {"model": model, "device": device, "terminal": list(SIZE)}
        figures["first_paint_seconds"] = _first_paint(run, home, effort.starts)
        figures |= _at_rest(run, home, effort.idle_seconds)
        turns = -(-HISTORY_TOKENS // HISTORY_TURN)
        filled = _program("fill", replace(run, turns=turns), home)
        figures["conversation_tokens"] = filled["tokens"]
        figures |= _while_it_answers(replace(run, resume=True), home, effort)
        figures["drain"] = _drain(replace(run, tokens=DRAIN_ANSWER), home, effort.drains)
    figures["load_average"] = [load, os.getloadavg()[0]]
    return figures


def _first_paint(run: Run, home: dict[str, str], starts: int) -> dict[str, float]:
    """From the start of `edge-sdk chat` to the first whole frame; the first start warms caches."""
    command = [sys.executable, "-m", "edge_sdk", "chat", "--model", run.model]
    taken = []
    for _ in range(starts + 1):
        with BenchTerminal([*command, "--device", run.device], home, SIZE) as terminal:
            taken.append(terminal.until(*FIRST_FRAME) - terminal.began)
            terminal.until_match(READY)
    return asdict(Spread.of(taken[1:]))


def _at_rest(run: Run, home: dict[str, str], seconds: float) -> dict[str, Any]:
    """Shares of a core that the app takes while nothing is asked, with the meters and without."""
    shares = {}
    for meters in ("panel", "off"):
        with _app(replace(run, meters=meters), home) as terminal:
            terminal.until_match(READY)
            terminal.rest(2.0)
            process = psutil.Process(terminal.process.pid)
            before, began = _cpu_seconds(process), time.monotonic()
            terminal.rest(seconds)
            shares[meters] = (_cpu_seconds(process) - before) / (time.monotonic() - began)
    return {
        "idle_core_share": shares["panel"],
        "idle_core_share_without_meters": shares["off"],
        "meters_core_share": max(shares["panel"] - shares["off"], 0.0),
    }


def _while_it_answers(run: Run, home: dict[str, str], effort: Effort) -> dict[str, Any]:
    """Key echo, stop and memory in a long conversation."""
    report = Path(home["EDGE_SDK_HOME"]) / "answers.txt"
    paced = replace(run, rate=PACE, tokens=PACED_ANSWER, report=str(report))
    with _app(paced, home) as terminal:
        terminal.until_match(READY)
        terminal.rest(2.0)
        process = psutil.Process(terminal.process.pid)
        cpu, began = _cpu_seconds(process), time.monotonic()
        echoes: list[float] = []
        while len(echoes) < effort.keys:
            echoes += _echoes(terminal, report, effort.keys - len(echoes))
        busy = (_cpu_seconds(process) - cpu) / (time.monotonic() - began)
        rates = [(PACED_ANSWER - 1) / (last - first) for first, last in _answers(report)]
        stops = []
        for _ in range(effort.stops):
            terminal.send(QUESTION + ENTER)
            terminal.rest(0.8)
            pressed = terminal.send(ESCAPE)
            stops.append(terminal.until_match(READY) - pressed)
            terminal.rest(0.2)
        memory = _memory(process, run.model)
    return {
        "key_echo_seconds": {
            "p50": statistics.median(echoes),
            "p99": sorted(echoes)[round(0.99 * (len(echoes) - 1))],
            "largest": max(echoes),
            "keys": len(echoes),
            "stream_tokens_per_second": statistics.median(rates),
            "core_share": busy,
        },
        "stop_seconds": asdict(Spread.of(stops)),
        **memory,
    }


def _echoes(terminal: BenchTerminal, report: Path, most: int) -> list[float]:
    """Ask once, and press keys as long as the answer comes: seconds from a key to its echo."""
    answered = len(_answers(report))
    terminal.send(QUESTION + ENTER)
    terminal.rest(0.5)
    found: list[float] = []
    typed = 0
    while True:
        letter = ECHOES[typed % len(ECHOES)]
        pressed = terminal.send(letter)
        taken = terminal.until(letter) - pressed
        typed += 1
        over = len(_answers(report)) > answered
        if not over and len(found) < most:
            found.append(taken)
        # Not in step with the screen's own clock.
        terminal.rest(KEY_PAUSE * (1 + typed % 7 / 7))
        if over or typed % len(ECHOES) == 0:
            terminal.send(CLEAR)
            terminal.rest(0.5)
        if over:
            return found


def _drain(run: Run, home: dict[str, str], repeats: int) -> dict[str, Any]:
    """Tokens a second that get onto the screen, beside those of the device without the app."""
    report = Path(home["EDGE_SDK_HOME"]) / "drained.txt"
    alone, shown, computed = [], [], []
    for _ in range(repeats):
        alone.append(_program("alone", run, home)["tokens_per_second"])
        report.unlink(missing_ok=True)
        with _app(replace(run, report=str(report)), home) as terminal:
            terminal.until_match(READY)
            terminal.rest(1.0)
            terminal.send(QUESTION + ENTER)
            end = terminal.until(f"{run.tokens} tokens")
            ((first, last),) = _answers(report)
        shown.append((run.tokens - 1) / (end - first))
        computed.append((run.tokens - 1) / (last - first))
    own, seen = statistics.median(alone), statistics.median(shown)
    return {
        "device_alone_tokens_per_second": asdict(Spread.of(alone)),
        "device_under_the_app_tokens_per_second": asdict(Spread.of(computed)),
        "screen_tokens_per_second": asdict(Spread.of(shown)),
        "share_of_device_alone": seen / own,
        "share_of_device_under_the_app": seen / statistics.median(computed),
    }


def _memory(process: psutil.Process, model: str) -> dict[str, Any]:
    """Bytes of the process in RAM, and without the pages of the model file that are mapped."""
    resident = process.memory_info().rss
    maps = process.memory_maps() if hasattr(process, "memory_maps") else []
    mapped = sum(entry.rss for entry in maps if Path(entry.path) == Path(model).resolve())
    return {
        "memory_bytes": resident,
        "model_mapped_bytes": mapped,
        "memory_without_model_bytes": resident - mapped,
    }


def _app(run: Run, home: dict[str, str]) -> BenchTerminal:
    return BenchTerminal(_command("chat", run), home, SIZE)


def _program(what: str, run: Run, home: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        _command(what, run), env=os.environ | home, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise EdgeError(
            f"the measured program ended with an error; it said: {said[:300]}.",
            hint="`edge-sdk doctor` checks this machine.",
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _command(what: str, run: Run) -> list[str]:
    return [sys.executable, "-m", "edge_sdk.app.bench.program", what, json.dumps(asdict(run))]


def _answers(report: Path) -> list[tuple[float, float]]:
    """When the first and the last token of each whole answer were computed."""
    lines = report.read_text("utf-8").splitlines() if report.exists() else []
    found = [json.loads(line) for line in lines]
    return [(answer["first"], answer["last"]) for answer in found]


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
