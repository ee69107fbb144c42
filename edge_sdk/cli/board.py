"""`edge-sdk board`: a virtual board, and the figures of any board's link.

It knows the options and what is printed; edge_sdk.boards finds who does the work.
"""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from edge_sdk.cli.output import format_bytes, print_json
from edge_sdk.cli.progress import progress_bar
from edge_sdk.safe_text import printable


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `board`, its actions and their options."""
    parser = subparsers.add_parser(
        "board",
        help="simulate an FPGA board, or measure the link to one",
        description="Serve a virtual board, or measure the link to a real or a virtual one.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    sim = actions.add_parser(
        "sim",
        help="serve a virtual board until Ctrl+C",
        description="Serve a virtual board on a pseudo-terminal or a TCP port of this machine. "
        "It keeps the rate of the line and the speed of the real board.",
        epilog="example: edge-sdk board sim ulx3s-85f, and in another terminal edge-sdk chat "
        "--device serial:<the path that it prints>",
    )
    sim.add_argument("board", metavar="BOARD", help="for example ulx3s-85f")
    sim.add_argument(
        "--engine",
        choices=["integer", "rtl"],
        default="integer",
        help="integer: the integer model (default); rtl: the compiled gateware, cycle by cycle",
    )
    sim.add_argument(
        "--port", type=int, metavar="N", help="serve on 127.0.0.1:N instead; 0: any free port"
    )
    sim.add_argument("--folder", type=Path, metavar="DIR", help="where its images are flashed to")
    sim.add_argument(
        "--fault", default="", metavar="RATES", help="a bad cable, e.g. drop=0.01,flip=0.01"
    )
    sim.add_argument(
        "--no-pace", action="store_true", help="as fast as this machine, not as the board"
    )
    sim.add_argument("--json", action="store_true", help="print one JSON object when it is ready")
    figures = actions.add_parser(
        "measure",
        help="measure opening, upload and the link's share of a token's time",
        description="Open a board, upload a model, feed tokens, and print the figures of the link.",
    )
    figures.add_argument("device", metavar="URI", help="for example serial:auto")
    figures.add_argument("--model", default="tern", metavar="NAME", help="default: tern")
    figures.add_argument("--tokens", type=int, default=32, metavar="N", help="default: 32")
    figures.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Serve, or measure and print."""
    return _serve(args) if args.action == "sim" else _measure(args)


def _serve(args: argparse.Namespace) -> int:
    from edge_sdk.boards import simulator

    def ready(uri: str, engine: str) -> None:
        if args.json:
            print_json({"uri": uri, "board": args.board, "engine": engine})
            return
        print(f"virtual {args.board} ({engine}) at {printable(uri, newlines=False)}")
        print(f"talk to it: edge-sdk chat --device {printable(uri, newlines=False)}")
        print("Ctrl+C switches it off.", flush=True)

    with _stopped_by_signal() as stop, progress_bar() as progress:
        simulator().serve(
            args.board,
            engine=args.engine,
            port=args.port,
            folder=args.folder,
            pace=not args.no_pace,
            faults=args.fault,
            ready=ready,
            stop=stop,
            progress=progress,
        )
    return 0


@contextmanager
def _stopped_by_signal() -> Iterator[threading.Event]:
    """An event that Ctrl+C and SIGTERM set: the end of a server is no failure."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {kind: signal.signal(kind, handle) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _measure(args: argparse.Namespace) -> int:
    from edge_sdk.boards import measure
    from edge_sdk.hub import load_model

    with load_model(args.model) as model, progress_bar() as progress:
        figures = measure()(args.device, model, tokens=args.tokens, progress=progress)
    if args.json:
        print_json(figures)
    else:
        for line in _lines(figures):
            print(printable(line, newlines=False))
    return 0


def _lines(figures: dict[str, Any]) -> Iterator[str]:
    baud = figures["baud"]
    rate = f"{baud} baud" if baud else "no serial line"
    where = "a virtual board: its line and its clock are simulated" if figures["simulated"] else ""
    yield f"{figures['device']}: {figures['board']}, {rate}" + (f" ({where})" if where else "")
    yield f"  opened in {figures['open_seconds']:.2f} s"
    if figures["upload_seconds"] is None:
        yield "  the model was on the board already, nothing was uploaded"
    else:
        share = figures["share_of_line_rate"]
        of = f", {100 * share:.1f} % of the line's rate" if share else ""
        yield (
            f"  uploaded {format_bytes(figures['uploaded_bytes'])} in "
            f"{figures['upload_seconds']:.1f} s{of}"
        )
    yield (
        f"  a token takes {1e3 * figures['token_seconds']:.1f} ms here, of which "
        f"{1e3 * figures['board_token_seconds']:.1f} ms are the board's, by its cycle count"
    )
    yield (
        f"  its messages take {1e3 * figures['line_token_seconds']:.2f} ms on the line with "
        f"{figures['candidates']} candidates: {100 * figures['link_overhead']:.1f} % of that"
    )
