"""`edge-sdk pull`: downloads a published checkpoint, packs and installs it.

It knows the command's options; edge_sdk.hub does the work.
"""

from __future__ import annotations

import argparse

from edge_sdk.cli.convert import add_packing_options, report
from edge_sdk.cli.progress import progress_bar


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `pull` and its options."""
    parser = subparsers.add_parser(
        "pull",
        help="download a model and pack it",
        description="Download a checkpoint (HF_ENDPOINT names another server), pack it and "
        "install it, so that `edge-sdk chat --model OWNER/NAME` finds it.",
    )
    parser.add_argument("repo", metavar="OWNER/NAME", help="e.g. ridger/MMfreeLM-370M")
    add_packing_options(parser)


def run(args: argparse.Namespace) -> int:
    """Download, pack, and print what was installed."""
    from edge_sdk.hub import pull

    with progress_bar() as progress:
        path = pull(
            args.repo,
            name=args.name,
            embedding=args.embedding,
            bits=args.bits,
            progress=progress,
        )
    report(path, args.json)
    return 0
