"""`edge-sdk bench`: how fast a model runs here, and how near that is to what memory allows.

It knows the options and the table; edge_sdk.benchmark measures.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edge_sdk.cli.options import add_device, add_model
from edge_sdk.cli.output import format_bytes, print_json, print_table
from edge_sdk.errors import UsageError
from edge_sdk.safe_text import printable

if TYPE_CHECKING:
    from edge_sdk.model_file import Model

SHAPES = ("tern", "370m", "1.3b", "2.7b")
"""edge_sdk.random_model.SHAPES, without importing NumPy for `--help`."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `bench` and its options."""
    parser = subparsers.add_parser(
        "bench",
        help="measure the speed and memory of a model on a device",
        description="Measure tokens per second, time to the first token, memory and the share of "
        "the memory bandwidth in use. Medians of several repeats, least and largest in brackets.",
        epilog="example: edge-sdk bench --device cpu --shape 370m --threads 1,2",
    )
    what = parser.add_mutually_exclusive_group()
    add_model(what)
    what.add_argument(
        "--shape", choices=SHAPES, help="random weights of this shape instead; needs no checkpoint"
    )
    parser.add_argument(
        "--bits", choices=["2", "1.6"], default="2", help="bits a weight of --shape (default: 2)"
    )
    add_device(parser)
    parser.add_argument(
        "--threads", metavar="N,N", help="CPU: compare these numbers of threads (default: all)"
    )
    parser.add_argument("--tokens", type=int, default=32, metavar="N", help="decoded (default: 32)")
    parser.add_argument(
        "--prompt", type=int, default=128, metavar="N", help="length (default: 128)"
    )
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument(
        "--no-start", action="store_true", help="leave out the start of a new process"
    )
    parser.add_argument(
        "--app",
        action="store_true",
        help="measure the chat app instead: first paint, key echo, stop, meters, memory (minutes)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Measure and print; exit code 0, or an EdgeError's."""
    if args.app:
        from edge_sdk.cli import bench_app

        return bench_app.run(args)
    from edge_sdk.benchmark import measure, start_seconds
    from edge_sdk.registry import open_device

    threads = parse_threads(args.threads)
    with _model(args) as model, open_device(args.device) as device:
        figures = measure(
            device,
            model,
            threads=threads,
            tokens=args.tokens,
            prompt=args.prompt,
            repeats=args.repeats,
        )
        if not args.no_start:
            uri = device.info.uri
            figures["start_to_first_token_seconds"] = start_seconds(uri, str(model.path))
    if args.json:
        print_json(figures)
    else:
        _print(figures)
    return 0


def parse_threads(text: str | None) -> list[int | None]:
    """ "1,2" -> [1, 2]; None -> [None], the device's own choice. Raises UsageError."""
    if text is None:
        return [None]
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 256 for part in parts):
        raise UsageError(
            f"--threads is {text!r}; expected numbers from 1 to 256 with commas between them.",
            hint="for example `--threads 1,2`.",
        )
    return [int(part) for part in parts]


def _model(args: argparse.Namespace) -> Model:
    if args.shape:
        from edge_sdk.model_file import open_model
        from edge_sdk.random_model import random_model

        return open_model(random_model(args.shape, args.bits), verify=False)
    from edge_sdk.hub import load_model

    return load_model(args.model)


def _print(figures: dict[str, Any]) -> None:
    device = figures["device"]
    head = f"{figures['model']} on {device['uri']}: {device['name']}"
    print(printable(head, newlines=False))
    for name, value in device.items():
        if name not in ("uri", "name"):
            print(f"  {name}: {printable(str(value), newlines=False)}")
    memory = figures["peak_memory_bytes"]
    print(
        f"  file {format_bytes(figures['file_bytes'])}, of which weights "
        f"{format_bytes(figures['weight_bytes'])}; peak memory of this process "
        f"{format_bytes(memory) if memory else '–'}"
    )
    start = figures.get("start_to_first_token_seconds")
    from_load = figures["load_to_first_token_seconds"]
    new = f", from the start of a new process {start:.2f} s" if start is not None else ""
    print(f"  first token: {from_load:.2f} s from loading the model{new}")
    print_table(
        ["THREADS", "DECODE tok/s", "PREFILL tok/s", "WEIGHTS", "READ ONLY", "SHARE OF FLOOR"],
        [_row(result) for result in figures["results"]],
    )
    for line in _extras(figures):
        print(f"  {line}")
    loads = "–".join("?" if load is None else f"{load:.1f}" for load in figures["load_average"])
    print(
        f"  {figures['repeats']} repeats of {figures['tokens']} tokens and a prompt of "
        f"{figures['prompt']}; load average {loads}; "
        f"{figures['involuntary_switches']} involuntary context switches"
    )


def _extras(figures: dict[str, Any]) -> Iterator[str]:
    """What only some devices have, a line each."""
    for result in figures["results"]:
        greedy = result["greedy_tokens_per_second"]
        if greedy:
            yield f"greedy, each token fed on the device: {_spread(greedy)} tok/s"
    batch = figures["batch"]
    if batch:
        rate = _spread(batch["tokens_per_second"])
        yield f"batch of {batch['slots']} conversations: {rate} tok/s together"
    energy = figures["energy"]
    if energy:
        yield (
            f"decode takes {energy['watts']:.0f} W, {energy['joules_per_token']:.4g} J/token "
            f"({energy['provenance']}, {energy['source']})"
        )
    memory = figures["device_memory"]
    own, driver = memory["session_bytes"], memory["driver"]
    if own and figures["device"]["uri"] != "cpu":
        counted = (
            f"; the driver counts {format_bytes(driver['value'])} in all ({driver['source']})"
            if driver and driver["provenance"] == "measured"
            else ""
        )
        yield f"memory on the device: {format_bytes(own)}{counted}"


def _row(result: dict[str, Any]) -> list[str]:
    read, share = result["read_bytes_per_second"], result["share_of_floor"]
    return [
        str(result["threads"] or "all"),
        _spread(result["decode_tokens_per_second"]),
        _spread(result["prefill_tokens_per_second"]),
        f"{format_bytes(result['weight_bytes_per_second'])}/s",
        f"{format_bytes(read['median'])}/s" if read else "–",
        f"{share:.2f}" if share else "–",
    ]


def _spread(figure: dict[str, float]) -> str:
    return f"{figure['median']:.1f} ({figure['least']:.1f}–{figure['largest']:.1f})"
