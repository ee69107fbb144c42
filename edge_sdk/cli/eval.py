"""`edge-sdk eval`: scores a model's answers to a fixed set of prompts.

It knows the options and the tables; edge_sdk.evaluation asks and counts.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.cli.options import add_device, add_model
from edge_sdk.cli.output import print_json, print_table
from edge_sdk.cli.progress import progress_bar, watched
from edge_sdk.errors import AccessError, UsageError
from edge_sdk.safe_text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_sdk.device import Session
    from edge_sdk.training.corpus import Document


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `eval` and its options."""
    parser = subparsers.add_parser(
        "eval",
        help="score a model's answers to a fixed set of prompts",
        description="Ask a model a fixed set of prompts in twelve categories and check each answer "
        "exactly. With a folder of training text, also measure bits per byte of its held-out "
        "documents, and prove that no prompt stands in the text.",
        epilog="example: edge-sdk eval --model tern --device cpu --save answers.json",
    )
    add_model(parser)
    add_device(parser)
    parser.add_argument(
        "--temperature", type=float, default=0.0, metavar="T", help="default: 0, the likeliest"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="also bits per byte of this folder's held-out text"
    )
    parser.add_argument(
        "--documents", type=int, default=10, metavar="N", help="of each source (default: 10)"
    )
    parser.add_argument(
        "--contamination",
        action="store_true",
        help="with --data: only compare the prompts with all training text; needs no model",
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="all answers and stories, JSON")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print; exit code 0, or an EdgeError's."""
    if args.documents < 1:
        raise UsageError(
            f"--documents is {args.documents}; expected 1 or more.",
            hint="leave it out to use the default.",
        )
    if args.contamination:
        if args.data is None:
            raise UsageError(
                "--contamination needs the training text.", hint="add --data with its folder."
            )
        return _contamination(args)
    result = _evaluate(args)
    if args.save is not None:
        _save(args.save, result)
    shown = {key: value for key, value in result.items() if key not in ("results", "stories")}
    if args.json:
        print_json(shown)
    else:
        _print(shown)
    return 0


def _evaluate(args: argparse.Namespace) -> dict[str, Any]:
    from edge_sdk.evaluation.prompts import all_prompts
    from edge_sdk.evaluation.runner import evaluate, stories
    from edge_sdk.hub import load_model
    from edge_sdk.registry import open_device

    prompts = all_prompts()
    started = time.perf_counter()
    with (
        load_model(args.model) as model,
        open_device(args.device) as device,
        closing(device.load(model)) as session,
        progress_bar() as progress,
    ):
        result: dict[str, Any] = {
            "model": model.name,
            "sha256": model.sha256,
            "device": {"uri": device.info.uri, "name": device.info.name},
        }
        result |= evaluate(
            session, prompts, args.temperature, lambda done, of: progress("prompts", done, of)
        )
        result["seconds"] = round(time.perf_counter() - started, 1)
        if args.save is not None:
            result["stories"] = stories(session, prompts)
        if args.data is not None:
            result["bits_per_byte"] = _bits(args, session)
    return result


def _bits(args: argparse.Namespace, session: Session) -> dict[str, dict[str, float]]:
    from edge_sdk.evaluation import bits
    from edge_sdk.training.recipe import get_recipe
    from edge_sdk.training.text import load_text

    bits.require_logits(session)
    held_out = load_text(args.data, get_recipe("tern")).validation
    chosen = bits.choose(held_out, args.documents)
    spelt = [bits.spell(document, session.model) for document in chosen]
    with progress_bar() as progress:
        return bits.bits_per_byte(
            spelt,
            bits.session_losses(session),
            lambda done: progress("documents", done, len(spelt)),
        )


def _contamination(args: argparse.Namespace) -> int:
    from edge_sdk.evaluation.contamination import NEAR, Prompts, Report, check
    from edge_sdk.evaluation.prompts import questions
    from edge_sdk.training import generators
    from edge_sdk.training.corpus import load_corpus
    from edge_sdk.training.recipe import get_recipe
    from edge_sdk.training.text import load_text

    recipe, prompts = get_recipe("tern"), Prompts(questions())
    generated = list(generators.generate(args.data, recipe.seed, recipe.generated))
    raw = load_corpus(args.data, recipe.personas, recipe.persona_name, generated=generated)
    trained = load_text(args.data, recipe).train
    with progress_bar() as progress:

        def compare(what: str, documents: Sequence[Document]) -> Report:
            seen = watched(documents, lambda done: progress(what, done, len(documents)))
            return check(prompts, ((one.parts, one.chat) for one in seen))

        before = compare("all text", (*raw.train, *raw.validation))
        after = compare("training text", trained)
    result = {
        "prompts": before.prompts,
        "threshold": NEAR,
        "texts": before.texts,
        "documents_with_a_prompt_before_filtering": len(before.found),
        "examples_before_filtering": [
            {"prompt": found.prompt, "text": found.text[:200], "likeness": round(found.likeness, 3)}
            for found in before.found[:20]
        ],
        "documents_with_a_prompt_in_training": len(after.found),
        "nearest_in_training": round(after.nearest, 3),
    }
    if args.json:
        print_json(result)
    else:
        print(
            f"{result['prompts']} user turns of the prompts against {result['texts']} texts: "
            f"{len(before.found)} documents hold one or a close variant (likeness {NEAR} or more); "
            f"after the filter {len(after.found)} do, and the nearest is at {after.nearest:.2f}."
        )
    return 0


def _save(path: Path, result: dict[str, Any]) -> None:
    aside = path.with_name(path.name + ".partial")
    try:
        aside.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise AccessError(
            f"the answers could not be written to {path}: {error.strerror}.",
            hint="name a file in a folder that you may write to.",
        ) from error


def _print(result: dict[str, Any]) -> None:
    device = result["device"]
    print(printable(f"{result['model']} on {device['uri']}: {device['name']}", newlines=False))
    rows = [
        [name, f"{own['passed']} of {own['prompts']}", f"{own['score']:.2f}"]
        for name, own in result["categories"].items()
    ]
    print_table(["CATEGORY", "PASSED", "SCORE"], rows)
    print(
        f"overall {result['overall']:.3f} of {result['prompts']} prompts; stopped by itself "
        f"{result['stop_rate']:.3f} of {result['answers']} answers; invented figures in "
        f"{result['invented_figures']} of {result['telemetry_prompts']} telemetry prompts"
    )
    bits = result.get("bits_per_byte")
    if bits:
        rows = [[name, f"{own['bot']:.3f}", f"{own['all']:.3f}"] for name, own in bits.items()]
        print_table(["SOURCE", "BOT bits/byte", "ALL bits/byte"], rows)
