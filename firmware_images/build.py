"""`python -m edge_sdk.firmware_images.build BOARD`: build a board's bitstream from the gateware.

It knows the command line, progress and where images are kept; it does not know designs or tools.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from edge_sdk.errors import INTERRUPTED, EdgeError, MissingExtra, UsageError
from edge_sdk.firmware_images.manifest import MANIFEST, ROOT, ImageManifest
from edge_sdk.paths import write_aside

# What nextpnr prints when it goes on to something that takes a while.
_STAGES = {
    "Packing": "pack",
    "Creating initial analytic placement": "place",
    "Running simulated annealing placer": "place, refined",
    "Routing": "route",
}


class Progress:
    """One line a stage on stderr: its name when it begins, its seconds when it has ended."""

    def __init__(self) -> None:
        self._stage = ""
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """A stage, or a line of a tool after a tab."""
        if not text.startswith("\t"):
            self._begin(text)
            return
        for words, stage in _STAGES.items():
            if words in text and stage != self._stage:
                self._begin(stage)

    def end(self) -> None:
        """The last stage has ended."""
        self._begin("")

    def _begin(self, stage: str) -> None:
        now = time.monotonic()
        if self._stage:
            print(f" {now - self._began:.0f} s", file=sys.stderr)
        self._stage, self._began = stage, now
        if stage:
            print(f"{stage:.<28}", end="", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Build; the exit code is that of the error, if one is raised."""
    parser = argparse.ArgumentParser(
        prog="python -m edge_sdk.firmware_images.build", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("board", nargs="?", help="such as ulx3s-85f; without one, all are listed")
    parser.add_argument("--out", type=Path, help="folder for image and manifest")
    parser.add_argument("--seed", type=int, help="of placement, if not the board's own")
    parser.add_argument("--keep", type=Path, help="folder to build in, and to leave as it is then")
    options = parser.parse_args(arguments)
    progress = Progress()
    try:
        _build(options.board, options.out, options.seed, options.keep, progress)
    except EdgeError as error:
        progress.end()
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        progress.end()
        print("stopped; nothing was written.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _build(
    name: str | None, out: Path | None, seed: int | None, keep: Path | None, progress: Progress
) -> None:
    gateware, boards = _gateware()
    if name is None:
        for board in boards.BOARDS.values():
            print(f"{board.name:<14} {board.title}, {board.clock_hz / 1e6:g} MHz")
        return
    if name not in boards.BOARDS:
        raise UsageError(
            f"there is no board {name!r} to build for.",
            hint=f"choose one of {', '.join(boards.BOARDS)}.",
        )
    board = boards.BOARDS[name]
    with tempfile.TemporaryDirectory(prefix="edge-sdk-build-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        image = gateware.build_image(board, folder, progress.say, seed=seed)
    progress.end()
    target = out or ROOT / board.name
    with write_aside(target / board.image) as aside:
        aside.write_bytes(image.data)
    with write_aside(target / MANIFEST) as aside:
        aside.write_text(image.manifest.to_toml(), "utf-8")
    _print(image.manifest, target)


def _gateware() -> tuple[ModuleType, ModuleType]:
    """The parts that need Amaranth; raises MissingExtra without it."""
    try:
        from edge_sdk.firmware_images.gateware import image
        from edge_sdk.firmware_images.gateware.boards import known
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("edge_sdk"):
            raise
        raise MissingExtra(
            f"building images needs the package {error.name}, which is not installed.",
            hint='pip install "edge-sdk[gateware]"',
        ) from error
    return image, known


def _print(manifest: ImageManifest, folder: Path) -> None:
    m = manifest
    rows = {
        "image": f"{folder / m.image} ({m.bytes} bytes)",
        "sha256": m.sha256,
        "build id": m.build_id,
        "LUT4": f"{m.lut4}",
        "flip-flops": f"{m.flip_flops}",
        "block RAMs": f"{m.block_rams}",
        "multipliers": f"{m.multipliers}",
        "clock": f"{m.clock_hz / 1e6:g} MHz, met; {m.achieved_hz / 1e6:.2f} MHz achieved",
    }
    for name, value in rows.items():
        print(f"{name:<12} {value}")


if __name__ == "__main__":
    # As Ctrl+C: else the tool at work would go on without us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
