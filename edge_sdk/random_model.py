"""Random packed models of the published shapes, made in seconds without a checkpoint, for `bench`.

It knows shapes and how random weights are packed; it does not know how speed is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk import paths
from edge_sdk.config import ModelConfig
from edge_sdk.model_layout import TERNARY, layout
from edge_sdk.model_writer import ModelWriter
from edge_sdk.ternary import planes2_shape

SHAPES = {
    "tern": ModelConfig(4096, 512, 8, 1536),
    "370m": ModelConfig(32000, 1024, 24, 2816),
    "1.3b": ModelConfig(32000, 2048, 24, 5632),
    "2.7b": ModelConfig(32000, 2560, 32, 6912),
}
"""The demo model's shape and the three published ones (arXiv 2406.02528)."""

_SLAB = 1 << 22


def random_model(shape: str) -> Path:
    """The packed file of a shape in SHAPES, made in the cache folder if it is not there yet.

    Speed does not depend on what the weights are: trits are uniform, so padding is random, too.
    """
    target = paths.cache_dir() / "bench" / f"random-{shape}.edge"
    if not target.exists():
        with paths.write_aside(target) as aside:
            write_random_model(aside, SHAPES[shape], f"random-{shape}")
    return target


def write_random_model(path: Path, config: ModelConfig, name: str, seed: int = 0) -> None:
    """Write a packed file of random weights: uniform trits, norms of one, bounds of zero."""
    rng = np.random.default_rng(seed)
    codes = _codes()
    with ModelWriter(path, config, name=name, source="random weights") as writer:
        for entry in layout(config, "int8"):
            if entry.name == "embeddings":
                writer.embeddings(_rows(rng, config))
            elif entry.encoding == TERNARY:
                shape = (entry.shape[0], entry.shape[1])
                # Keeps the activations near 1, whatever the width.
                step = 1.2 / np.sqrt(shape[1])
                writer.packed(entry.name, _planes(rng, codes, shape), float(step))
            elif entry.name == "bounds":
                writer.vector(entry.name, np.zeros(entry.shape, np.float32))
            elif entry.name not in ("scales", "embeddings.scale"):  # the writer's own
                writer.vector(entry.name, np.ones(entry.shape, np.float32))


def _codes() -> npt.NDArray[np.uint8]:
    """The 81 bytes that hold four digits 0, 1 or 2, filled up to 256 with themselves."""
    values = np.arange(256, dtype=np.uint8)
    valid = [value for value in values if all(value >> shift & 3 != 3 for shift in (0, 2, 4, 6))]
    return np.resize(np.array(valid, np.uint8), 256)


def _planes(
    rng: np.random.Generator, codes: npt.NDArray[np.uint8], shape: tuple[int, int]
) -> Iterator[npt.NDArray[np.uint8]]:
    groups, *rest = planes2_shape(shape)
    size = groups * int(np.prod(rest))
    for start in range(0, size, _SLAB):
        yield codes[np.frombuffer(rng.bytes(min(_SLAB, size - start)), np.uint8)]


def _rows(rng: np.random.Generator, config: ModelConfig) -> Iterator[npt.NDArray[np.float32]]:
    height = 1024
    for start in range(0, config.vocab_size, height):
        count = min(height, config.vocab_size - start)
        yield rng.standard_normal((count, config.hidden_size), np.float32)
