"""The command `edge-sdk`: finds the verb's module and turns every outcome into an exit code.

It knows the names of the verbs and how errors are shown; it does not know what a verb does, and it
imports the chosen verb's module only, so that `--help` costs no more than argparse.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn, Protocol, cast

from edge_sdk import __version__
from edge_sdk.cli.interrupt import end_in_order
from edge_sdk.errors import INTERRUPTED, EdgeError, UsageError

VERBS = {
    "chat": "talk with a model, in the terminal or through a pipe",
    "devices": "list the devices of this machine, the unusable ones with the reason",
    "doctor": "check this machine and say what to mend",
    "flash": "load our image onto an FPGA board and check it",
    "board": "simulate an FPGA board, or measure the link to one",
    "bench": "measure the speed and memory of a model on a device",
    "convert": "pack a published checkpoint into one ternary file",
    "pull": "download a model and pack it",
    "serve": "offer a model to OpenAI-type clients on this machine",
    "train": "train a ternary model on a folder of text",
    "eval": "score a model's answers to a fixed set of prompts",
}
"""What `edge-sdk --help` lists; the module edge_sdk.cli.<name> is imported only when it is run."""

DEBUG_VARIABLE = "EDGE_DEBUG"
"""Set to 1, errors are shown with their traceback."""


class Verb(Protocol):
    """What a module edge_sdk.cli.<name> offers."""

    def add_parser(self, subparsers: argparse._SubParsersAction[Parser]) -> object:
        """Add a parser of the verb's name to `subparsers`."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it and return the exit code; raises EdgeError."""


class Parser(argparse.ArgumentParser):
    """Raises UsageError for wrong options, so that they look like every other error."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # An abbreviated option would change its meaning when a longer one is added.
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """Called by argparse; the message is a fragment."""
        raise UsageError(f"{message}.", hint=f"`{self.prog} --help` shows the options.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own) and return its exit code.

    Never raises: an EdgeError becomes a sentence on stderr (a JSON object on stdout where `--json`
    was given), anything else is logged and reported as a bug.
    """
    # Before NumPy: BLAS threads that wait for each other make a virtual board many times slower
    # on a busy machine, and nothing else here uses them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    words = list(sys.argv[1:] if argv is None else argv)
    _allow_any_text()
    as_json = "--json" in words[: words.index("--")] if "--" in words else "--json" in words
    try:
        with end_in_order():
            code = _run(words)
        # Here, not when Python ends: a closed pipe shows itself at the flush.
        sys.stdout.flush()
        return code
    except EdgeError as error:
        return _report(error.to_json(), as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has seen enough (`| head`); Python must not flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        from edge_sdk.errors import OutOfMemory

        full = OutOfMemory(
            "the memory of this machine ran out.",
            hint="close other programs, or use a smaller model.",
        )
        return _report(full.to_json(), as_json)
    except Exception as error:
        from edge_sdk.cli.crash import describe_crash

        return _report(describe_crash(error, words[:1]), as_json)


def build_parser(verb: str | None = None) -> Parser:
    """The whole command's parser; only `verb` has its options, the others just their help."""
    parser = Parser(
        prog="edge-sdk",
        description="Run MatMul-free (ternary) language models on small machines.",
        epilog="`edge-sdk VERB --help` shows the options of a verb.",
    )
    parser.add_argument("--version", action="version", version=f"edge-sdk {__version__}")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for name, summary in VERBS.items():
        if name == verb:
            _module(name).add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    return parser


def _run(words: list[str]) -> int:
    verb = next((word for word in words if not word.startswith("-")), None)
    parser = build_parser(verb)
    if verb is not None and verb not in VERBS:
        raise _unknown_verb(verb)
    try:
        args = parser.parse_args(words)
    except SystemExit as end:  # --help and --version
        return end.code if isinstance(end.code, int) else 0
    if args.verb is None:
        parser.print_help()
        return UsageError.exit_code
    return _module(args.verb).run(args)


def _module(verb: str) -> Verb:
    return cast(Verb, import_module(f"{__name__}.{verb}"))


def _unknown_verb(verb: str) -> UsageError:
    from difflib import get_close_matches

    near = get_close_matches(verb, VERBS, n=1)
    return UsageError(
        f"there is no verb {verb!r}; the verbs are {', '.join(VERBS)}.",
        hint=f"did you mean `edge-sdk {near[0]}`?" if near else "`edge-sdk --help` lists them.",
    )


def _report(error: dict[str, object], as_json: bool) -> int:
    """Show an error in the form asked for and return its exit code."""
    from edge_sdk.cli.output import print_error

    if os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0"):
        import traceback

        traceback.print_exc()
    print_error(error, as_json=as_json)
    return cast(int, error["exit_code"])


def _allow_any_text() -> None:
    """Let a terminal without UTF-8 show a mark instead of ending in an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
