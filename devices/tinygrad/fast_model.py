"""A packed model as the table of addresses that the C kernels read: no weight is copied.

It knows which tensor of the file goes where; it does not know sessions or arithmetic.
"""

from __future__ import annotations

import ctypes
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge_sdk.config import ModelConfig
from edge_sdk.devices.tinygrad.structures import Layer, Matrix, ModelTable
from edge_sdk.model_file import TernaryMatrix
from edge_sdk.ternary import FIVE


class Weights(Protocol):
    """What is needed of an edge_sdk.Model. Vectors lie in memory of whole 64-byte units."""

    @property
    def config(self) -> ModelConfig:
        """The sizes."""

    def matrix(self, name: str) -> TernaryMatrix:
        """A packed matrix by name."""

    def vector(self, name: str) -> npt.NDArray[np.float32]:
        """A float32 tensor by name."""


class FastModel:
    """`table` points into the mapped file, which stays mapped while this object lives."""

    def __init__(self, model: Weights) -> None:
        config = model.config
        self._views: list[npt.NDArray[Any]] = []
        self._model = model
        self._bounds = model.vector("bounds")
        self._layers = (Layer * config.num_layers)(
            *(self._layer(index) for index in range(config.num_layers))
        )
        self.table = ModelTable(
            layers=config.num_layers,
            width=config.hidden_size,
            inner=config.intermediate_size,
            vocab=config.vocab_size,
            eps=config.norm_eps,
            layer=ctypes.cast(self._layers, ctypes.POINTER(Layer)),
            norm=self._vector("norm"),
            head=self._matrix("lm_head"),
        )

    @property
    def span(self) -> tuple[int, int]:
        """(address, bytes) of all matrices, the small vectors between them included."""
        start = self._layers[0].i.planes
        last = self._model.matrix("lm_head").packed
        return start, last.ctypes.data + last.nbytes - start

    def _layer(self, index: int) -> Layer:
        at = f"layers.{index}"
        return Layer(
            attn_norm=self._vector(f"{at}.attn_norm"),
            g_norm=self._vector(f"{at}.attn.g_norm"),
            mlp_norm=self._vector(f"{at}.mlp_norm"),
            bound=self._address(self._bounds[index]),
            **{name: self._matrix(f"{at}.attn.{name}_proj") for name in "ifgo"},
            gate=self._matrix(f"{at}.mlp.gate_proj"),
            down=self._matrix(f"{at}.mlp.down_proj"),
        )

    def _matrix(self, name: str) -> Matrix:
        matrix = self._model.matrix(name)
        return Matrix(
            planes=self._address(matrix.packed),
            norm=self._vector(f"{name}.norm"),
            step=matrix.scale,
            rows=matrix.shape[0],
            width=matrix.shape[1],
            five=matrix.encoding == FIVE,
        )

    def _vector(self, name: str) -> int:
        return self._address(self._model.vector(name))

    def _address(self, view: npt.NDArray[Any]) -> int:
        # A live view keeps the file mapped after Model.close().
        self._views.append(view)
        return view.ctypes.data


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Zeros at a multiple of 64 bytes; pages are taken only when they are written."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)
