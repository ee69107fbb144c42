"""`edge-sdk train`: trains a model from a folder of text.

It knows the command's options and what it prints; the training package does the work.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from edge_sdk.cli.output import format_bytes, print_json
from edge_sdk.errors import INTERRUPTED
from edge_sdk.safe_text import printable


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `train` and its options."""
    parser = subparsers.add_parser(
        "train",
        help="train a ternary model on a folder of text",
        description="Train a ternary MatMul-free language model with quantisation-aware training.",
    )
    parser.add_argument("--recipe", default="tern", help="tern or tern-nano (default: tern)")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder with *.jsonl.xz shards"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the results"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=20.0,
        metavar="M",
        help="training time, set-up apart (default: 20)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or cuda:<number> (default: auto)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train as the options say; progress goes to stderr, the result to stdout."""
    from edge_sdk.training import require_extra

    require_extra()
    from edge_sdk.training.job import train_model
    from edge_sdk.training.recipe import get_recipe

    result = train_model(
        replace(get_recipe(args.recipe), seed=args.seed),
        data=args.data,
        out=args.out,
        minutes=args.minutes,
        device=args.device,
        say=lambda sentence: print(printable(sentence), file=sys.stderr, flush=True),
    )
    if not result:  # one of several processes that do not lead
        return 0
    if args.json:
        print_json(result)
    else:
        print(f"Model: {result['packed']} ({format_bytes(result['packed_bytes'])})")
        print(f"Checkpoint: {result['checkpoint']}")
        print(f"Samples and log: {args.out}")
    return INTERRUPTED if result["interrupted"] else 0
