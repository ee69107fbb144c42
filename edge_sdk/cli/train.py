"""`edge-sdk train`: trains a model from a folder of text.

It knows the command's options and what it prints; the training package does the work.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_sdk.cli.output import format_bytes, print_json, print_table
from edge_sdk.cli.progress import progress_bar, watched
from edge_sdk.errors import INTERRUPTED, UsageError
from edge_sdk.safe_text import printable


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `train` and its options."""
    parser = subparsers.add_parser(
        "train",
        help="train a ternary model on a folder of text",
        description="Train a ternary MatMul-free language model with quantisation-aware training.",
    )
    parser.add_argument("--recipe", default="tern", help="tern or tern-nano (default: tern)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with *.jsonl.xz shards")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--minutes",
        type=float,
        default=20.0,
        metavar="M",
        help="training time, set-up apart (default: 20)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--fused", action="store_true", help="use the fused BitLinear and cross-entropy"
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or cuda:<number> (default: auto)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--data-report",
        action="store_true",
        help="only count what the generators make: documents, tokens, distinct 5-grams",
    )
    what.add_argument(
        "--bench",
        action="store_true",
        help="only measure training steps: unfused, compiled and fused",
    )
    parser.add_argument(
        "--bench-shape", default="370m", metavar="SHAPE", help="370m, tern or nano (default: 370m)"
    )
    parser.add_argument(
        "--bench-rows", default="8,16", metavar="N,N", help="batch sizes (default: 8,16)"
    )
    parser.add_argument(
        "--bench-length", type=int, default=1024, metavar="T", help="tokens a row (default: 1024)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train as the options say; progress goes to stderr, the result to stdout."""
    from edge_sdk.training import require_extra

    if args.data_report:
        return _report(args)
    require_extra()
    if args.bench:
        return _bench(args)
    from edge_sdk.training.job import train_model
    from edge_sdk.training.recipe import get_recipe

    result = train_model(
        replace(get_recipe(args.recipe), seed=args.seed, fused=args.fused),
        data=_needed(args, "data"),
        out=_needed(args, "out"),
        minutes=args.minutes,
        device=args.device,
        say=_tell,
    )
    if not result:  # one of several processes that do not lead
        return 0
    if args.json:
        print_json(result)
    else:
        print(f"Model: {result['packed']} ({format_bytes(result['packed_bytes'])})")
        print(f"Checkpoint: {result['checkpoint']}")
        print(f"Samples, log and curves: {args.out}")
    return INTERRUPTED if result["interrupted"] else 0


def _report(args: argparse.Namespace) -> int:
    """Count the generated text; tokens are those of the model that ships with the SDK."""
    from edge_sdk.hub import load_model
    from edge_sdk.training.generators import DOCUMENTS, generate
    from edge_sdk.training.generators.report import count
    from edge_sdk.training.recipe import get_recipe

    folder = args.data if args.data is not None else Path()
    recipe = replace(get_recipe(args.recipe), seed=args.seed)
    total = round(sum(DOCUMENTS.values()) * recipe.generated)
    with load_model("tern") as model, progress_bar() as progress:
        made = generate(folder, recipe.seed, recipe.generated)
        counts = count(
            watched(made, lambda done: progress("documents", done, total)),
            lambda text: len(model.tokenizer.encode(text)),
        )
    if args.json:
        print_json(counts)
        return 0
    head = ["SOURCE", "DOCUMENTS", "TOKENS", "5-GRAMS", "DISTINCT", "DISTINCT ANSWERS"]
    keys = ("documents", "tokens", "grams", "distinct_grams", "distinct_answers")
    rows = [[name, *(f"{own[key]:,}" for key in keys)] for name, own in counts.items()]
    print_table(head, sorted(rows, key=lambda row: row[0] == "all"))
    return 0


def _bench(args: argparse.Namespace) -> int:
    from edge_sdk.training.bench import bench

    sizes = args.bench_rows.split(",")
    if not all(size.isascii() and size.isdigit() and int(size) > 0 for size in sizes):
        raise UsageError(
            f"--bench-rows is {args.bench_rows!r}; expected numbers with commas between them.",
            hint="for example `--bench-rows 8,16`.",
        )
    result = bench(
        args.bench_shape,
        args.device,
        [int(size) for size in sizes],
        args.bench_length,
        say=_tell,
    )
    if args.out is not None:
        from edge_sdk.training.export import write_json

        args.out.mkdir(parents=True, exist_ok=True)
        write_json(args.out / "bench.json", result)
    if args.json:
        print_json(result)
        return 0
    print(f"{result['shape']} on {result['device']}, {result['length']} tokens a row")
    print_table(
        ["VARIANT", "ROWS", "TOKENS/S", "PEAK", "SPEED", "MEMORY"],
        [_bench_row(one) for one in result["results"]],
    )
    return 0


def _bench_row(one: dict[str, Any]) -> list[str]:
    if "failed" in one:
        return [one["variant"], str(one["rows"]), one["failed"], "–", "–", "–"]
    peak = one["peak_bytes"]
    return [
        one["variant"],
        str(one["rows"]),
        f"{one['tokens_per_second']:,}",
        f"{peak / 2**30:.2f} GiB" if peak else "–",
        f"{one['speed']:.3f}x" if "speed" in one else "–",
        f"{one['memory']:.3f}x" if "memory" in one else "–",
    ]


def _needed(args: argparse.Namespace, name: str) -> Path:
    value: Path | None = getattr(args, name)
    if value is None:
        raise UsageError(
            f"training needs --{name} with a folder.", hint="see `edge-sdk train --help`."
        )
    return value


def _tell(sentence: str) -> None:
    print(printable(sentence), file=sys.stderr, flush=True)
