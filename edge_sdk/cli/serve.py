"""`edge-sdk serve`: the options of the local server, and what it says when it is ready.

It knows the options; edge_sdk.server serves.
"""

from __future__ import annotations

import argparse
import os
import sys

from edge_sdk.cli.chat import DEFAULT_MAX_TOKENS
from edge_sdk.cli.options import add_device, add_model
from edge_sdk.cli.output import print_json
from edge_sdk.errors import MissingExtra
from edge_sdk.safe_text import printable

TOKEN_VARIABLE = "EDGE_TOKEN"
DEFAULT_PORT = 8080


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `serve` and its options."""
    parser = subparsers.add_parser(
        "serve",
        help="offer a model to OpenAI-type clients on this machine",
        description="Serve chat completions in the OpenAI protocol. Only programs of this machine "
        "are let in, unless --host and a token say otherwise. One answer is written at a time.",
        epilog="client: OpenAI(base_url='http://127.0.0.1:8080/v1', api_key='unused')",
    )
    add_model(parser)
    add_device(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        metavar="N",
        help=f"0 takes any free one (default: {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--token",
        default=os.environ.get(TOKEN_VARIABLE) or None,
        help=f"what clients must send as API key (default: ${TOKEN_VARIABLE}, which other users "
        "of this machine cannot see)",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name under which clients reach this machine; may be given several times",
    )
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=DEFAULT_MAX_TOKENS,
        metavar="N",
        help=f"length of an answer where a request names none (default: {DEFAULT_MAX_TOKENS})",
    )
    parser.add_argument(
        "--context-limit",
        type=int,
        default=1024,
        metavar="N",
        help="tokens after which the oldest turns are left out (default: 1024)",
    )
    parser.add_argument("--json", action="store_true", help="print the address as a JSON object")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl+C; returns the exit code."""
    try:
        from edge_sdk.server.address import Address
        from edge_sdk.server.serving import serve
    except ImportError as error:
        raise MissingExtra(
            f"the server needs the package {error.name!r}, which is not installed.",
            hint='run `pip install "edge-sdk[serve]"`.',
        ) from None

    def ready(url: str) -> None:
        if args.json:
            print_json({"url": url})
        else:
            text = f"serving {args.model} at {url}; Ctrl+C ends it"
            print(printable(text), file=sys.stderr, flush=True)

    address = Address(args.host, args.port, args.token, tuple(args.allow_host))
    serve(
        args.model,
        args.device,
        address,
        max_tokens=args.max_tokens,
        context_limit=args.context_limit,
        ready=ready,
    )
    return 0
