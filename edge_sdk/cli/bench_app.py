"""`edge-sdk bench --app`: how the chat app feels, beside what it is meant to be.

It knows the targets and the table; edge_sdk.app.bench measures.
"""

from __future__ import annotations

import argparse
from typing import Any

from edge_sdk.cli.output import format_bytes, print_json, print_table
from edge_sdk.errors import UnsupportedOperation
from edge_sdk.safe_text import printable


def run(args: argparse.Namespace) -> int:
    """Measure the app with a model of the SDK and print; exit code 0, or an EdgeError's."""
    try:
        import pty  # noqa: F401
    except ImportError:
        raise UnsupportedOperation(
            "the app is measured on a pseudo terminal, which this system does not have.",
            hint="measure on Linux or macOS.",
        ) from None
    from edge_sdk.app.bench.measure import Effort, measure_app
    from edge_sdk.hub import load_model

    with load_model(args.model) as model:
        path = model.path
    repeats = args.repeats
    effort = Effort(starts=repeats, keys=40 * repeats, stops=2 * repeats, drains=repeats)
    figures = measure_app(str(path.resolve()), args.device, effort)
    if args.json:
        print_json(figures)
    else:
        _print(figures, args.model)
    return 0


def _print(figures: dict[str, Any], model: str) -> None:
    columns, lines = figures["terminal"]
    head = f"{model} on {figures['device']}, terminal of {columns} x {lines}"
    print(printable(head, newlines=False))
    print_table(["WHAT", "MEASURED", "MEANT TO BE"], _rows(figures))
    echo = figures["key_echo_seconds"]
    print(
        f"  {figures['conversation_tokens']} tokens of conversation; keys while "
        f"{echo['stream_tokens_per_second']:.0f} tok/s came in, the process then took "
        f"{echo['core_share']:.0%} of a core, model included"
    )
    print(f"  load average {'–'.join(f'{load:.1f}' for load in figures['load_average'])}")


def _rows(figures: dict[str, Any]) -> list[list[str]]:
    echo, drain = figures["key_echo_seconds"], figures["drain"]
    shown = drain["screen_tokens_per_second"]["median"]
    alone = drain["device_alone_tokens_per_second"]["median"]
    under = drain["device_under_the_app_tokens_per_second"]["median"]
    with_meters = f"{figures['idle_core_share']:.1%} with them"
    return [
        ["first paint", _spread(figures["first_paint_seconds"]), "below 1000 ms"],
        ["key echo, median", _ms(echo["p50"]), ""],
        ["key echo, 99th percentile", _ms(echo["p99"]), "below 50 ms"],
        ["esc until it has stopped", _spread(figures["stop_seconds"]), "200 ms at most"],
        [
            "meters, share of a core",
            f"{figures['meters_core_share']:.1%} (idle {with_meters})",
            "below 2 %",
        ],
        [
            "drain, share of the device alone",
            f"{drain['share_of_device_alone']:.0%} ({shown:.0f} of {alone:.0f} tok/s)",
            "95 % or more",
        ],
        [
            "drain, share of the device beside the app",
            f"{drain['share_of_device_under_the_app']:.0%} ({shown:.0f} of {under:.0f} tok/s)",
            "",
        ],
        [
            "memory without the model",
            f"{format_bytes(figures['memory_without_model_bytes'])} "
            f"(all: {format_bytes(figures['memory_bytes'])})",
            "below 120 MB",
        ],
    ]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def _spread(figure: dict[str, float]) -> str:
    return f"{_ms(figure['median'])} ({1000 * figure['least']:.0f}–{1000 * figure['largest']:.0f})"
