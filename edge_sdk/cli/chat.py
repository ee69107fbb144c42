"""`edge-sdk chat`: the options of a conversation, and whether it is shown by the app or as text.

It knows the terminal and the options; edge_sdk.app draws, edge_sdk.cli.plain writes text.
"""

from __future__ import annotations

import argparse
import os
import sys

from edge_sdk.cli.options import add_device, add_model
from edge_sdk.cli.web import DEFAULT_PORT

DEFAULT_MAX_TOKENS = 256
_SAMPLING = {
    "temperature": (float, "0 takes the likeliest token always"),
    "top_k": (int, "choose among the K likeliest tokens; 0 is all"),
    "top_p": (float, "choose among the likeliest tokens that together reach P"),
    "min_p": (float, "drop tokens less than P times as likely as the likeliest"),
    "repetition_penalty": (float, "above 1, tokens that were used lately get less likely"),
    "seed": (int, "the same seed, prompt, readings and device give the same answer"),
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `chat` and its options."""
    parser = subparsers.add_parser(
        "chat",
        help="talk with a model, in the terminal or through a pipe",
        description="Talk with a model. On a terminal the chat app opens; with a prompt, a pipe or "
        "--plain, answers are plain text on stdout and everything else goes to stderr. Through a "
        "pipe, each line that is not empty is one turn of the conversation.",
        epilog='examples: edge-sdk chat "Hello!"; echo "Hello!" | edge-sdk chat --json',
    )
    parser.add_argument("prompt", nargs="*", metavar="WORD", help="ask this, answer and end")
    add_model(parser)
    add_device(parser)
    for name, (kind, text) in _SAMPLING.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=kind, metavar="N" if kind is int else "P", help=text)
    parser.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        help=f"length of an answer at most (default: {DEFAULT_MAX_TOKENS}, or the app's setting)",
    )
    parser.add_argument(
        "--plain", action="store_true", help="no app: lines of text, also for screen readers"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a turn")
    parser.add_argument(
        "--status-line",
        action=argparse.BooleanOptionalAction,
        help="tell the model the device's live readings before each question "
        "(default: if it was trained on them)",
    )
    parser.add_argument(
        "--web",
        type=int,
        nargs="?",
        const=DEFAULT_PORT,
        metavar="PORT",
        help=f"the app in a browser of this machine (default port: {DEFAULT_PORT}; 0 is any)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="app: go on with the conversation used last"
    )


def run(args: argparse.Namespace) -> int:
    """Open the app, or answer as plain text or JSON; returns the exit code."""
    given = {name: getattr(args, name) for name in _SAMPLING if getattr(args, name) is not None}
    if args.web is not None:
        from edge_sdk.cli import web

        return web.run(args, given)
    if wants_app(args):
        from edge_sdk.app.chat_app import run_app

        if args.max_tokens is not None:
            given["max_tokens"] = args.max_tokens
        if args.status_line is not None:
            given["tell"] = "on" if args.status_line else "off"
        return run_app(args.model, args.device, given, resume=args.resume)
    from edge_sdk.cli.plain import PlainChat
    from edge_sdk.sampling import Sampler

    return PlainChat(
        model=args.model,
        device=args.device,
        sampling=Sampler(**given),
        max_tokens=DEFAULT_MAX_TOKENS if args.max_tokens is None else args.max_tokens,
        as_json=args.json,
        status=args.status_line,
    ).run(" ".join(args.prompt) if args.prompt else None)


def wants_app(args: argparse.Namespace) -> bool:
    """Whether there is a terminal to draw on and nothing asks for text."""
    if args.plain or args.json or args.prompt:
        return False
    if os.environ.get("TEXTUAL_DRIVER"):
        # Somebody else draws, as a web page does.
        return True
    return not (
        os.environ.get("TERM", "dumb") == "dumb"
        or not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty())
    )
