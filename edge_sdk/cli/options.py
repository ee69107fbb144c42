"""The options that several verbs share: which model, and on which device.

It knows their names, defaults and variables; it does not know what a verb does with them.
"""

from __future__ import annotations

import argparse
import os

DEFAULT_MODEL = "tern"


def add_model(parser: argparse._ActionsContainer) -> None:
    """Add `--model`: $EDGE_MODEL, else the model that comes with the SDK."""
    parser.add_argument(
        "--model",
        default=os.environ.get("EDGE_MODEL") or DEFAULT_MODEL,
        metavar="NAME",
        help=f"a name or the path of a packed file (default: $EDGE_MODEL, else {DEFAULT_MODEL})",
    )


def add_device(parser: argparse._ActionsContainer) -> None:
    """Add `--device`: $EDGE_DEVICE, else the best one."""
    parser.add_argument(
        "--device",
        default=os.environ.get("EDGE_DEVICE") or "auto",
        metavar="URI",
        help="where it runs, e.g. cpu or cuda:0 (default: $EDGE_DEVICE, else auto)",
    )
