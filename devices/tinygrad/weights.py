"""A packed model's weights as tinygrad tensors on one device.

It knows how to place them without a second copy where the device can read the mapped file; it does
not know how they are multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tinygrad import Tensor, dtypes

from edge_sdk.device import Progress
from edge_sdk.devices.tinygrad.model import MATRIX_ORDER, VECTOR_ORDER
from edge_sdk.model_file import Model
from edge_sdk.ternary import TWO


@dataclass(frozen=True)
class Weights:
    """What the forward pass reads, but for the embedding: its rows are looked up on the host."""

    layers: list[tuple[Tensor, Tensor]]
    """(planes, vectors) of each layer, as `model.Block.cut` takes them."""
    norm: Tensor
    head_planes: Tensor
    head_norm: Tensor
    head_step: Tensor
    device_bytes: int
    """Bytes that the tensors take on the device."""


def load_weights(model: Model, device: str, progress: Progress | None = None) -> Weights:
    """Put the weights of `model` on tinygrad's `device`, layer by layer.

    On the CPU the matrices stay where they are: in the mapped file, which `model` keeps open.
    """
    placed = 0

    def put(values: npt.NDArray[Any]) -> Tensor:
        nonlocal placed
        placed += values.nbytes
        # A copy, because GPU back ends refuse to upload from the read-only mapping.
        return Tensor(np.array(values), device=device).realize()

    def put_planes(names: list[str]) -> Tensor:
        nonlocal placed
        matrices = [model.matrix(name) for name in names]
        planes = [matrix.planes for matrix in matrices]
        # Those of another encoding are made here, and would not outlive this function.
        mapped = all(matrix.encoding == TWO for matrix in matrices)
        if device == "CPU" and mapped and _adjacent(planes):
            size = sum(p.nbytes for p in planes)
            placed += size
            return Tensor.from_blob(
                planes[0].ctypes.data, (size,), dtype=dtypes.uint8, device="CPU"
            )
        return put(np.concatenate([p.reshape(-1) for p in planes]))

    bounds = model.vector("bounds")
    layers = []
    count = model.config.num_layers
    for index in range(count):
        at = f"layers.{index}"
        steps = np.array([model.matrix(f"{at}.{n}").scale for n in MATRIX_ORDER], np.float32)
        vectors = [model.vector(f"{at}.{name}") for name in VECTOR_ORDER]
        layers.append(
            (
                put_planes([f"{at}.{name}" for name in MATRIX_ORDER]),
                put(np.concatenate([*vectors, bounds[index], steps])),
            )
        )
        if progress is not None:
            progress("loading", index + 1, count)
    head = model.matrix("lm_head")
    return Weights(
        layers=layers,
        norm=put(model.vector("norm")),
        head_planes=put_planes(["lm_head"]).reshape(head.planes.shape),
        head_norm=put(model.vector("lm_head.norm")),
        head_step=put(np.array([head.scale], np.float32)),
        device_bytes=placed,
    )


def _adjacent(arrays: list[npt.NDArray[np.uint8]]) -> bool:
    """Whether each array starts where the one before it ends."""
    ends = [array.ctypes.data + array.nbytes for array in arrays]
    return all(end == array.ctypes.data for end, array in zip(ends, arrays[1:], strict=False))
