"""Writes a packed file tensor by tensor, hashing on the way, without holding the model in memory.

It knows the order of the tensors and their encodings; it does not know where weights come from.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from edge_sdk.chat_template import PLAIN, ChatTemplate
from edge_sdk.config import ModelConfig
from edge_sdk.errors import ModelRejected, UsageError
from edge_sdk.model_header import MAGIC, PREAMBLE, Header, data_start
from edge_sdk.ternary import ROWS, TWO, Trits, pack2, pack5


class ModelWriter:
    """Use as a context manager: leaving the block without an error completes the file.

    The tensors are written once each, in the order of `layout` (model_layout.py); `scales` is
    written by the writer itself. Raises UsageError for a tensor that is not the next one.
    """

    def __init__(
        self,
        path: Path,
        config: ModelConfig,
        *,
        name: str,
        embedding: str = "int8",
        chat: ChatTemplate = PLAIN,
        tokenizer: bytes | None = None,
        source: str = "",
        ternary: str = TWO,
    ) -> None:
        size = None if tokenizer is None else len(tokenizer)
        self._header = Header(config, name, embedding, chat, size, source, ternary)
        self._tokenizer = tokenizer
        self._next = iter(self._header.entries)
        self._scales: list[float] = []
        self._hash = hashlib.sha256()
        packed = self._header.pack()
        # What cannot be read back must not be written: the reader's caps are checked here.
        Header.unpack(packed)
        self._file = path.open("wb")
        self._start = data_start(len(packed))
        self._file.write(bytes(PREAMBLE.size))
        self._length = len(packed)
        self._write(packed)
        self._pad(0)

    def matrix(self, name: str, slabs: Iterable[Trits], step: float) -> None:
        """Write a ternary matrix given as slabs of trits int8 [rows, in], rows a multiple of 4.

        Only the last slab may have another number of rows.
        """
        self.packed(name, (self._pack(name, slab) for slab in _whole_groups(name, slabs)), step)

    def packed(self, name: str, slabs: Iterable[npt.NDArray[np.uint8]], step: float) -> None:
        """Write a ternary matrix given as slabs of bytes (ternary.py), whole groups of rows."""
        if not (math.isfinite(step) and step > 0):
            raise UsageError(
                f"the scale of {name!r} is {step}; expected a positive number.",
                hint="take it from edge_sdk.ternary.absmean.",
            )
        self._tensor(name, self._header.ternary, slabs)
        self._scales.append(step)

    def vector(self, name: str, values: npt.NDArray[np.floating]) -> None:
        """Write a norm or `bounds` as float32."""
        self._tensor(name, "float32", [np.ascontiguousarray(values, "<f4")])

    def embeddings(self, slabs: Iterable[npt.NDArray[np.float32]]) -> None:
        """Write the embedding, given as slabs of rows float32 [rows, d], in the file's encoding.

        int8: scale = absmax of the row / 127 as float32, value = round(row / scale), halves to
        even. Raises ModelRejected for a weight that float16 cannot hold.
        """
        if self._header.embedding != "int8":
            encoding, dtype = {"fp16": ("float16", "<f2"), "fp32": ("float32", "<f4")}[
                self._header.embedding
            ]
            self._tensor("embeddings", encoding, (_cast(slab, dtype) for slab in slabs))
            return
        scales: list[npt.NDArray[np.float32]] = []

        def rows() -> Iterable[npt.NDArray[np.int8]]:
            for slab in slabs:
                values, scale = quantise_rows(slab)
                scales.append(scale)
                yield values

        self._tensor("embeddings", "int8", rows())
        self.vector("embeddings.scale", np.concatenate(scales))

    def finish(self) -> str:
        """Complete the file and return its hash (hex); called on leaving the block."""
        self.vector("scales", np.array(self._scales))
        if self._tokenizer is not None:
            self._pad(self._header.tokenizer_offset)
            self._write(self._tokenizer)
        self._file.seek(0)
        self._file.write(PREAMBLE.pack(MAGIC, self._length, self._hash.digest()))
        self._file.flush()
        # A power cut after the rename must not leave a whole name with half a file.
        os.fsync(self._file.fileno())
        return self._hash.hexdigest()

    def _pack(self, name: str, slab: Trits) -> npt.NDArray[np.uint8]:
        if slab.dtype != np.int8 or slab.ndim != 2:
            raise UsageError(
                f"a slab of {name!r} is no int8 matrix.",
                hint="give int8 [rows, columns] of -1, 0 and 1.",
            )
        return pack2(slab) if self._header.ternary == TWO else pack5(slab)

    def _tensor(self, name: str, encoding: str, parts: Iterable[npt.NDArray[Any]]) -> None:
        entry = next(self._next, None)
        if entry is None or (entry.name, entry.encoding) != (name, encoding):
            wanted = "no more" if entry is None else f"{entry.name!r} as {entry.encoding}"
            raise UsageError(
                f"tensor {name!r} came as {encoding}; expected {wanted}.",
                hint="write the tensors in the order of edge_sdk.model_layout.",
            )
        self._pad(entry.offset)
        for part in parts:
            self._write(part.data.cast("B"))
        written = self._file.tell() - self._start - entry.offset
        if written != entry.length:
            raise UsageError(
                f"tensor {name!r} has {written} bytes; expected {entry.length}.",
                hint="give the tensor in the shape that the config implies.",
            )

    def _pad(self, offset: int) -> None:
        """Zeros up to an offset of the data section."""
        self._write(bytes(self._start + offset - self._file.tell()))

    def _write(self, data: bytes | memoryview) -> None:
        self._hash.update(data)
        self._file.write(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self._file.close()


def quantise_rows(
    rows: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Absmax quantisation of each row: float32 [n, d] -> (int8 [n, d], scale float32 [n])."""
    scale = (np.abs(rows).max(axis=1) / np.float32(127)).astype(np.float32)
    # A row of zeros has scale 0; any divisor gives zeros.
    divisor = np.where(scale == 0, np.float32(1), scale)[:, None]
    values = np.clip(np.rint(rows / divisor), -127, 127).astype(np.int8)
    return values, scale


def _cast(rows: npt.NDArray[np.float32], dtype: str) -> npt.NDArray[Any]:
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(rows, dtype)
    if not np.isfinite(values).all():
        raise ModelRejected(
            "the embedding has weights beyond 65504, which float16 cannot hold.",
            hint="convert with --embedding fp32 or int8.",
        )
    return values


def _whole_groups(name: str, slabs: Iterable[Trits]) -> Iterable[Trits]:
    last = 0
    for slab in slabs:
        if last % ROWS:
            raise UsageError(
                f"a slab of {name!r} has {last} rows; expected a multiple of {ROWS}.",
                hint="only the last slab of a matrix may have another number of rows.",
            )
        last = slab.shape[0]
        yield slab
