"""How much a model loses on an accelerator: perplexity and choices against a float32 device.

It knows log likelihoods and how a text is cut up; it does not know how either side computes.

    python -m edge_sdk.devices.board.quality tern text.txt

A text may hold the model's control tokens by name. Each end-of-sequence token ends a document, and
every document, and every WINDOW tokens of one, starts from the zero state.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk.device import Progress, Session
from edge_sdk.devices.board.calibration import calibrate
from edge_sdk.devices.board.formats import Formats
from edge_sdk.devices.board.integer_model import IntegerModel
from edge_sdk.devices.board.program import compile_model
from edge_sdk.errors import INTERRUPTED, AccessError, EdgeError, UsageError
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.hub import load_model
from edge_sdk.model_file import Model
from edge_sdk.registry import open_device

WINDOW = 256
LARGE = Geometry(
    memory_bits=16,
    memory_words=1 << 28,
    x_depth=1 << 13,
    s_depth=1 << 16,
    a_depth=1 << 14,
    b_depth=1 << 14,
    q_depth=1 << 12,
)
"""Room for any model that instructions can name: what is measured here does not depend on it."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """The integer model beside the float32 device on the same tokens."""

    tokens: int
    """Predictions compared."""
    perplexity: float
    """Of the float32 device."""
    ratio: float
    """Perplexity of the integer model / of the device."""
    error: float
    """Standard error of the ratio, over tokens."""
    agreement: float
    """Share of positions where both choose the same token."""
    saturations: int


def compare(
    session: Session,
    core: IntegerModel,
    windows: Sequence[Sequence[int]],
    progress: Progress | None = None,
) -> Quality:
    """Run both on windows of token ids (at least two each), each from the zero state."""
    losses: list[Floats] = []
    differences: list[Floats] = []
    same, before = 0, core.saturations
    for done, ids in enumerate(windows):
        session.reset()
        wanted = np.asarray(ids[1:])
        exact = session.logits(ids[:-1]).astype(np.float64)
        whole = integer_logits(core, ids[:-1], exact.shape[1])
        losses.append(_losses(exact, wanted))
        differences.append(_losses(whole, wanted) - losses[-1])
        same += int((exact.argmax(axis=1) == whole.argmax(axis=1)).sum())
        if progress is not None:
            progress("compare", done + 1, len(windows))
    loss, difference = np.concatenate(losses), np.concatenate(differences)
    ratio = exp(difference.mean())
    return Quality(
        tokens=len(loss),
        perplexity=exp(loss.mean()),
        ratio=ratio,
        error=ratio * float(difference.std()) / sqrt(len(difference)),
        agreement=same / len(loss),
        saturations=core.saturations - before,
    )


def integer_logits(core: IntegerModel, ids: Sequence[int], vocabulary: int) -> Floats:
    """float64 [T, V]: the logits after each of `ids`, fed from the zero state."""
    core.reset()
    logits = np.empty((len(ids), vocabulary))
    for row, token in zip(logits, ids, strict=True):
        scores = core.feed([token], vocabulary)
        assert scores is not None
        row[scores.rows] = scores.sums * (scores.mantissa / 2.0**scores.shift)
    return logits


def windows_of(model: Model, text: str, tokens: int) -> list[list[int]]:
    """The first `tokens` token ids of a text, cut into documents and these into windows."""
    found: list[list[int]] = []
    left = tokens
    for document in _documents(model, text):
        for start in range(0, len(document), WINDOW):
            window = document[start : start + min(WINDOW, left)]
            if len(window) > 1:
                found.append(window)
                left -= len(window)
    if not found:
        raise UsageError(
            "the text is too short to predict anything in it.", hint="give it a few sentences."
        )
    return found


def _documents(model: Model, text: str) -> Iterator[list[int]]:
    ids: list[int] = []
    for part in model.tokenizer.split_control(text):
        ids += [part] if isinstance(part, int) else model.tokenizer.encode(part)
        if part == model.config.eos_token_id:
            yield ids
            ids = []
    yield ids


def _losses(logits: Floats, wanted: npt.NDArray[np.int64]) -> Floats:
    """Negative log likelihoods [T] of tokens [T] under logits [T, V]."""
    top = logits.max(axis=1)
    total = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
    losses: Floats = total - logits[np.arange(len(wanted)), wanted]
    return losses


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m edge_sdk.devices.board.quality",
        description="Perplexity of a model on an accelerator's integers against float32.",
    )
    parser.add_argument("model", help="a name or the path of a packed file")
    parser.add_argument("text", type=Path, help="a UTF-8 file that the model was not trained on")
    parser.add_argument("--tokens", type=int, default=4000, metavar="N", help="default: 4000")
    parser.add_argument("--device", default="cpu", metavar="URI", help="for float32: cpu")
    parser.add_argument("--two-bit", action="store_true", help="2 bits a weight, not 1.6")
    parser.add_argument(
        "--calibrate", type=Path, metavar="FILE", help="choose the formats on another text"
    )
    args = parser.parse_args(words)
    try:
        return _run(args)
    except EdgeError as error:
        print(f"{parser.prog}: {error}\n{error.hint or ''}".rstrip(), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(args: argparse.Namespace) -> int:
    with load_model(args.model) as model, open_device(args.device) as device:
        windows = windows_of(model, _read(args.text), args.tokens)
        formats = Formats()
        if args.calibrate:
            texts = windows_of(model, _read(args.calibrate), args.tokens)
            formats = calibrate(model, LARGE, texts, _show)
        image = compile_model(model, LARGE, formats=formats, five_trits=not args.two_bit)
        core = IntegerModel(LARGE, image.data)
        found = compare(device.load(model), core, windows, _show)
    print(f"{model.name}, {2 if args.two_bit else 1.6} bits a weight, {formats}")
    print(f"  tokens           {found.tokens} in {len(windows)} windows")
    print(f"  perplexity       {found.perplexity:.3f} (float32 on {args.device})")
    print(f"  ratio            {found.ratio:.4f} +- {found.error:.4f} (integer / float32)")
    print(f"  same choice      {found.agreement:.2%}")
    print(f"  saturations      {found.saturations}")
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise AccessError(
            f"{str(path)!r} could not be read as text: {error}.", hint="name a text file in UTF-8."
        ) from None


def _show(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{what} {done} of {total} ", end="\n" if done == total else "", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
