"""Makes random models that fit on a chip, compiled, for tests of boards and of their gateware."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sdk.config import ModelConfig
from edge_sdk.devices.board.calibration import calibrate
from edge_sdk.devices.board.program import MemoryImage, compile_model
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.model_file import Model, open_model
from tests.helpers import packed_model, random_tensors

SMALL = ModelConfig(vocab_size=128, hidden_size=64, num_layers=2, intermediate_size=96)
ODD = ModelConfig(vocab_size=131, hidden_size=37, num_layers=3, intermediate_size=53)
"""No size is a multiple of 8 or 10, nor of a memory word of any width."""


def chip(memory_bits: int = 16, kib: int = 64) -> Geometry:
    """An accelerator that holds either model in `kib` KiB of block memory."""
    words = kib * 8192 // memory_bits
    return Geometry(
        memory_bits, words, x_depth=64, s_depth=128, a_depth=128, b_depth=128, q_depth=16
    )


@dataclass(frozen=True)
class Small:
    """A model, what it compiles to, and for which accelerator."""

    model: Model
    image: MemoryImage
    geometry: Geometry


def small(
    folder: Path,
    config: ModelConfig = SMALL,
    geometry: Geometry | None = None,
    *,
    five_trits: bool = True,
    seed: int = 0,
) -> Small:
    """A random model with formats that suit it; close `model` in the end."""
    geometry = geometry or chip()
    path = packed_model(folder, config, tensors=random_tensors(config, seed))
    model = open_model(path)
    ids = np.random.default_rng(seed).integers(0, config.vocab_size, (2, 16)).tolist()
    formats = calibrate(model, geometry, ids)
    image = compile_model(model, geometry, formats=formats, five_trits=five_trits)
    return Small(model, image, geometry)
