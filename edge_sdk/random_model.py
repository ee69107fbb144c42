"""Random packed models of the published shapes, made in seconds without a checkpoint, for `bench`.

It knows shapes and how random weights are packed; it does not know how speed is measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk import paths
from edge_sdk.config import ModelConfig
from edge_sdk.model_layout import TERNARY, layout
from edge_sdk.model_writer import ModelWriter
from edge_sdk.ternary import (
    FIVE,
    TWO,
    pack2,
    pack5,
    pack5_split,
    planes2_shape,
    planes5_shape,
)

SHAPES = {
    "tern": ModelConfig(4096, 512, 8, 1536),
    "370m": ModelConfig(32000, 1024, 24, 2816),
    "1.3b": ModelConfig(32000, 2048, 24, 5632),
    "2.7b": ModelConfig(32000, 2560, 32, 6912),
}
"""The demo model's shape and the three published ones (arXiv 2406.02528)."""

_SLAB = 1 << 22


def random_model(shape: str, bits: str = "2") -> Path:
    """The packed file of a shape in SHAPES, made in the cache folder if it is not there yet.

    bits: `2` or `1.6` a weight. Speed does not depend on what the weights are: trits are uniform,
    so padding is random, too.
    """
    name = f"random-{shape}" if bits == "2" else f"random-{shape}-{bits}"
    target = paths.cache_dir() / "bench" / f"{name}.edge"
    if not target.exists():
        with paths.write_aside(target) as aside:
            write_random_model(aside, SHAPES[shape], name, ternary=TERNARY[bits])
    return target


def write_random_model(
    path: Path, config: ModelConfig, name: str, seed: int = 0, ternary: str = TWO
) -> None:
    """Write a packed file of random weights: uniform trits, norms of one, bounds of zero."""
    rng = np.random.default_rng(seed)
    source = "random weights"
    with ModelWriter(path, config, name=name, source=source, ternary=ternary) as writer:
        for entry in layout(config, "int8", ternary):
            if entry.name == "embeddings":
                writer.embeddings(_rows(rng, config))
            elif entry.ternary:
                shape = (entry.shape[0], entry.shape[1])
                # Keeps the activations near 1, whatever the width.
                step = 1.2 / np.sqrt(shape[1])
                writer.packed(entry.name, _bytes(rng, shape, ternary), float(step))
            elif entry.name == "bounds":
                writer.vector(entry.name, np.zeros(entry.shape, np.float32))
            elif entry.name not in ("scales", "embeddings.scale"):  # the writer's own
                writer.vector(entry.name, np.ones(entry.shape, np.float32))


def _codes(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """All bytes that a packing knows, filled up to 256 with themselves. packed: its pack(...)."""
    return np.resize(np.unique(packed), 256)


def _bytes(
    rng: np.random.Generator, shape: tuple[int, int], ternary: str
) -> Iterator[npt.NDArray[np.uint8]]:
    """Random packed rows of a matrix [out, in], a slab of row groups at a time."""
    digits = np.array(list(product((-1, 0, 1), repeat=5)), np.int8)
    two = _codes(pack2(digits[:, :4].repeat(64, axis=1)))
    five = _codes(pack5(digits.repeat(64, axis=1)))
    fives = pack5_split(shape[1])[0] * 4 * 64 if ternary == FIVE else 0
    groups, *rest = planes2_shape(shape) if ternary == TWO else planes5_shape(shape)
    size = math.prod(rest)
    height = max(_SLAB // size, 1)
    for start in range(0, groups, height):
        count = min(height, groups - start)
        slab = np.frombuffer(rng.bytes(count * size), np.uint8).reshape(count, size)
        yield np.concatenate([five[slab[:, :fives]], two[slab[:, fives:]]], axis=1)


def _rows(rng: np.random.Generator, config: ModelConfig) -> Iterator[npt.NDArray[np.float32]]:
    height = 1024
    for start in range(0, config.vocab_size, height):
        count = min(height, config.vocab_size - start)
        yield rng.standard_normal((count, config.hidden_size), np.float32)
