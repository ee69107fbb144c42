"""`edge-sdk convert`: packs a checkpoint folder and says what came of it.

It knows the command's options and figures; edge_sdk.convert does the work.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from edge_sdk.cli.output import format_bytes, print_json
from edge_sdk.cli.progress import progress_bar
from edge_sdk.safe_text import printable

if TYPE_CHECKING:
    from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `convert` and its options."""
    parser = subparsers.add_parser(
        "convert",
        help="pack a published checkpoint into one ternary file",
        description="Pack a MatMul-free LM checkpoint (config.json, *.safetensors, optionally "
        "tokenizer.json and chat.json) into one file that runs on every device.",
    )
    parser.add_argument("src", metavar="SRC", help="the checkpoint's folder")
    parser.add_argument("dst", metavar="DST", help="the packed file, or a folder to put it in")
    add_packing_options(parser)


def add_packing_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `pull` shares."""
    parser.add_argument(
        "--embedding",
        choices=["int8", "fp16", "fp32"],
        default="int8",
        help="how the embedding is stored; int8 is the smallest (default)",
    )
    parser.add_argument(
        "--bits",
        choices=["2", "1.6"],
        default="2",
        help="bits a weight; both compute the same, 1.6 makes the smaller file (default: 2)",
    )
    parser.add_argument("--name", help="what the model is called (default: as its source)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Convert and print the size, its ratio to the source and the peak memory."""
    from edge_sdk.checkpoint import Checkpoint
    from edge_sdk.convert import convert_checkpoint

    with progress_bar() as progress:
        path = convert_checkpoint(
            args.src,
            args.dst,
            embedding=args.embedding,
            bits=args.bits,
            name=args.name,
            progress=progress,
        )
    with Checkpoint(args.src) as checkpoint:
        source = checkpoint.size
    report(path, args.json, source)
    return 0


def report(path: Path, as_json: bool, source: int | None = None) -> None:
    """Print what was written; `source` is the size of the checkpoint's tensors in bytes."""
    from edge_sdk.model_file import open_model

    peak = peak_memory()
    with open_model(path, verify=False) as model:
        if as_json:
            print_json(
                {
                    "path": str(path),
                    "name": model.name,
                    "sha256": model.sha256,
                    "parameters": model.config.parameters,
                    "bytes": model.file_size,
                    "source_bytes": source,
                    "ratio": None if source is None else round(source / model.file_size, 2),
                    "embedding": model.embedding_dtype,
                    "weights": model.ternary_encoding,
                    "tokenizer": model.has_tokenizer,
                    "peak_memory_bytes": peak,
                }
            )
            return
        ratio = "" if source is None else f", {source / model.file_size:.1f} times smaller"
        print(f"{printable(str(path))}: {format_bytes(model.file_size)}{ratio}")
        print(
            f"model {model.name}, {model.config.parameters / 1e6:.1f} M parameters, "
            f"{model.ternary_encoding} weights, {model.embedding_dtype} embedding, "
            f"SHA-256 {model.sha256}"
        )
        if not model.has_tokenizer:
            print("no tokenizer.json was found: the model takes token ids only")
        print(f"peak memory {format_bytes(peak)}")


def peak_memory() -> int:
    """The most memory that this process has held so far, in bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes.
    return peak if sys.platform == "darwin" else peak * 1024
