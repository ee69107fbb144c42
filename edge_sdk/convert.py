"""Turns a published checkpoint into a packed file, tensor by tensor, in bounded memory.

It knows which tensor becomes what; it does not know byte layouts (model_writer.py, ternary.py) nor
file formats of checkpoints (checkpoint.py). The same checkpoint gives the same bytes every time.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk.checkpoint import Checkpoint
from edge_sdk.device import Progress
from edge_sdk.errors import AccessError, UsageError
from edge_sdk.model_file import check_tokenizer
from edge_sdk.model_layout import EMBEDDINGS, TERNARY, layout
from edge_sdk.model_writer import ModelWriter
from edge_sdk.paths import write_aside
from edge_sdk.ternary import Trits, absmean, ternarise
from edge_sdk.tokenizer import Tokenizer

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+|\.{2,}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")


def convert_checkpoint(
    src: str | Path,
    dst: str | Path,
    *,
    embedding: str = "int8",
    bits: str = "2",
    name: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Convert the checkpoint folder `src` to the packed file `dst` and return its path.

    embedding: `int8` (one scale a row), `fp16` or `fp32`. bits: `2` or `1.6` a weight; the model
    computes the same either way. name: what the model is called; by default the name of the folder.
    A `dst` that is a folder gets `<name>.edge` in it.
    Every tensor is read in slabs of rows, so memory does not grow with the model. The file
    appears under its name only when it is complete.
    Raises UsageError, NotFound, AccessError, or ModelRejected for a checkpoint that is not exactly
    what its config says.
    """
    if embedding not in EMBEDDINGS:
        raise UsageError(
            f"the embedding cannot be {embedding!r}; it can be {', '.join(EMBEDDINGS)}.",
            hint="int8 is the smallest, fp16 and fp32 are finer.",
        )
    if bits not in TERNARY:
        raise UsageError(
            f"a weight cannot take {bits!r} bits; it can take {' or '.join(TERNARY)}.",
            hint="both give the same results; 1.6 makes the smaller file.",
        )
    with Checkpoint(src) as checkpoint:
        if name is None:
            plain = _UNSAFE.sub("-", checkpoint.folder.resolve().name)
            name = plain[:96].strip("-._") or "model"
        check_name(name)
        target = _target(Path(dst), name)
        with write_aside(target) as aside:
            _write(checkpoint, aside, embedding, TERNARY[bits], name, progress)
    return target


def check_name(name: str) -> None:
    """Raise UsageError unless `name` is `name` or `owner/name`, safe as a path on any system."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise UsageError(
            f"{name!r} is no name for a model.",
            hint="use letters, digits, '.', '_' and '-', like 'tern' or 'ridger/MMfreeLM-370M'.",
        )


def _target(path: Path, name: str) -> Path:
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
        return path / f"{name.rpartition('/')[2]}.edge" if is_folder else path
    except FileNotFoundError:
        return path
    except (OSError, ValueError) as error:
        raise AccessError(
            f"{str(path)!r} cannot be written: {error}.",
            hint="choose a writable folder.",
        ) from None


def _write(
    checkpoint: Checkpoint,
    path: Path,
    embedding: str,
    ternary: str,
    name: str,
    progress: Progress | None,
) -> None:
    config = checkpoint.config
    tokenizer = checkpoint.tokenizer_json
    if tokenizer is not None:
        check_tokenizer(Tokenizer.from_json(tokenizer), config)
    entries = layout(config, embedding, ternary)
    total = entries[-1].offset + entries[-1].length
    with ModelWriter(
        path,
        config,
        name=name,
        embedding=embedding,
        chat=checkpoint.chat_template,
        tokenizer=tokenizer,
        source=f"safetensors {'+'.join(checkpoint.dtypes)}",
        ternary=ternary,
    ) as writer:
        for entry in entries:
            if progress is not None:
                progress("convert", entry.offset, total)
            if entry.ternary:
                step = absmean(checkpoint.rows(_original(entry.name)))
                writer.matrix(entry.name, _trits(checkpoint, entry.name, step), step)
            elif entry.name == "embeddings":
                writer.embeddings(checkpoint.rows("model.embeddings.weight"))
            elif entry.name == "bounds":
                writer.vector("bounds", bounds(checkpoint.tensor("model.lower_bounds")))
            elif entry.name not in ("embeddings.scale", "scales"):
                writer.vector(entry.name, checkpoint.tensor(_original(entry.name)))
    if progress is not None:
        progress("convert", total, total)


def bounds(lower_bounds: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Forget-gate bounds [L, d]: softmax over the layers, summed up, minus the first (code, §4)."""
    values = lower_bounds.astype(np.float64)
    shares = np.exp(values - values.max(axis=0))
    shares /= shares.sum(axis=0)
    result: npt.NDArray[np.float64] = shares.cumsum(axis=0) - shares[0]
    return result


def _trits(checkpoint: Checkpoint, name: str, step: float) -> Iterator[Trits]:
    for slab in checkpoint.rows(_original(name)):
        yield ternarise(slab, step)


def _original(name: str) -> str:
    """Name in the packed file -> name in the checkpoint."""
    return f"{name}.weight" if name.startswith("lm_head") else f"model.{name}.weight"
