"""Embedding rows as EMB reads them: int8 values with a scale of their own.

It knows one row's layout; it does not know where rows are placed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import ModelRejected
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.model_file import Model

MAX_SHIFT = 40
"""An int8 value times a 16-bit mantissa is zero long before."""


def embedding_rows(
    model: Model, ids: npt.NDArray[np.int64], fraction: int, geometry: Geometry
) -> npt.NDArray[np.uint8]:
    """uint8 [rows, bytes a row]: mantissa, shift, int8 values, padded to whole memory words.

    fraction: of the residual. Raises ModelRejected for a row that is too large for 16 bits.
    """
    values = model.embed(ids).astype(np.float64)
    if model.embedding_dtype == "int8":
        scale = model.vector("embeddings.scale")[ids].astype(np.float64)
    else:
        scale = np.abs(values).max(axis=1) / 127
    used = scale > 0
    scale = np.where(used, scale, 1.0)
    part, exponent = np.frexp(scale * 2.0**fraction)
    mantissa = np.minimum(np.rint(part * 65536), 65535)
    shift = 16 - exponent
    if shift.min() < 0:
        raise ModelRejected(
            "an embedding row is too large for the accelerator's 16 bits.",
            hint="run this model on 'cpu'.",
        )
    mantissa = np.where(used & (shift <= MAX_SHIFT), mantissa, 0)
    d, word = values.shape[1], geometry.memory_bits // 8
    rows = np.zeros((len(ids), -(-(4 + d + d % 2) // word) * word), np.uint8)
    rows[:, 0:2] = mantissa.astype("<u2")[:, None].view(np.uint8)
    rows[:, 2:4] = np.minimum(shift, MAX_SHIFT).astype("<u2")[:, None].view(np.uint8)
    rows[:, 4 : 4 + d] = np.rint(values / scale[:, None]).astype(np.int8).view(np.uint8)
    return rows
