"""`edge-sdk chat --web`: which command the page runs, and what is said when it is ready.

It knows the options; edge_sdk.app.web serves.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from edge_sdk.errors import MissingExtra

DEFAULT_PORT = 8000


def run(args: argparse.Namespace, given: Mapping[str, float | int]) -> int:
    """Serve the app to a browser of this machine until Ctrl+C; returns the exit code.

    given: the sampling options that were given, by name.
    """
    try:
        from edge_sdk.app.web import serve_page
    except ImportError as error:
        raise MissingExtra(
            f"the page needs the package {error.name!r}, which is not installed.",
            hint='run `pip install "edge-sdk[web]"`.',
        ) from None
    command = [sys.executable, "-m", "edge_sdk", "chat", "--model", args.model]
    command += ["--device", args.device]
    if args.max_tokens is not None:
        given = {**given, "max_tokens": args.max_tokens}
    for name, value in given.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    command += ["--status-line"] if args.status_line else []
    command += ["--resume"] if args.resume else []
    serve_page(
        command,
        args.web,
        lambda url: print(f"the chat is at {url}; Ctrl+C ends it", file=sys.stderr, flush=True),
    )
    return 0
