"""`edge-sdk flash`: puts the right image onto a board and checks that it computes.

It knows the options, the question before flash memory is written, and what is printed;
edge_sdk.boards finds who does the work.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.cli.interrupt import stop_on_interrupt
from edge_sdk.cli.output import print_json, print_table
from edge_sdk.cli.progress import progress_bar
from edge_sdk.errors import UsageError
from edge_sdk.safe_text import printable

if TYPE_CHECKING:
    from edge_sdk.boards import Flasher, FlashPlan, FlashReport


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `flash` and its options."""
    parser = subparsers.add_parser(
        "flash",
        help="load our image onto an FPGA board and check it",
        description="Load an image onto a board, open it again and compare its tokens with the "
        "integer model. The image is gone when the board loses power, unless --persist is given.",
    )
    parser.add_argument(
        "board", nargs="?", metavar="BOARD", help="for example ulx3s-85f (default: ask the board)"
    )
    parser.add_argument("--port", metavar="PORT", help="its serial port (default: look for it)")
    parser.add_argument("--image", type=Path, metavar="FILE", help="a .bit file of your own")
    parser.add_argument(
        "--persist", action="store_true", help="write the SPI flash, which is kept without power"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before writing SPI flash")
    parser.add_argument("--list", action="store_true", help="only list boards, images and ports")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Flash and print what the board runs now; raises EdgeError."""
    from edge_sdk.boards import flasher

    worker = flasher()
    if args.list:
        _list(worker, args.json)
        return 0
    plan = worker.plan(args.board, port=args.port, image=args.image, persist=args.persist)
    if plan.persist and not args.yes:
        _ask(plan)
    with stop_on_interrupt() as stop, progress_bar() as progress:
        report = worker.flash(plan, progress=progress, cancel=stop)
    _print(report, args.json)
    return 0


def _ask(plan: FlashPlan) -> None:
    """Raise UsageError unless the user says yes."""
    where = f" of the board at {plan.port.path}" if plan.port else ""
    question = (
        f"This overwrites the SPI flash{where} with {plan.image.path.name} "
        f"({plan.image.title}). Do not unplug it meanwhile. Write? [y/N] "
    )
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "writing SPI flash has to be confirmed, and there is nobody to ask.",
            hint="add --yes.",
        )
    print(printable(question, newlines=False), end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was written.", hint="answer y to write.")


def _print(report: FlashReport, as_json: bool) -> None:
    if as_json:
        print_json(asdict(report))
        return
    image, port = report.plan.image, report.plan.port
    if report.plan.already:
        print(f"{image.board} runs the image {image.build} already.")
    else:
        memory = "SPI flash" if report.plan.persist else "SRAM, until power is lost"
        print(f"Wrote {printable(image.path.name, newlines=False)} to {image.board} ({memory}).")
    if report.self_test is None or port is None:
        print("No serial port was found, so nobody asked the board what it runs.")
        return
    print(
        f"It runs build {report.build}; {report.self_test.tokens} tokens equal the integer "
        f"model's, all scores included."
    )
    print(f"Talk to it: edge-sdk chat --device {printable(port.uri, newlines=False)}")


def _list(worker: Flasher, as_json: bool) -> None:
    images = {image.board: image for image in worker.images()}
    ports = worker.ports()
    if as_json:
        boards = {
            name: {"title": title, "image": asdict(images[name]) if name in images else None}
            for name, title in worker.boards().items()
        }
        print_json({"boards": boards, "ports": [asdict(port) for port in ports]})
        return
    print_table(
        ["BOARD", "IMAGE", "NAME"],
        [
            [name, (images[name].build or "–") if name in images else "none", title]
            for name, title in worker.boards().items()
        ],
    )
    if not ports:
        print("\nNo USB serial port was found.")
        return
    print()
    print_table(
        ["PORT", "BOARD", "RUNS", "NAME"],
        [[port.path, port.board or "?", port.build or "–", port.title] for port in ports],
        [[port.trouble] if port.trouble else [] for port in ports],
    )
