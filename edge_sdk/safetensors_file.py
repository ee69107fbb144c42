"""One safetensors file: its header strictly checked, its tensors read in slabs of rows.

It knows the safetensors format; it does not know which tensors a model needs.
Nothing is mapped and nothing is read before the whole header is consistent with the file's size.
"""

from __future__ import annotations

import json
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import AccessError, ModelRejected

MAX_JSON = 4 << 20
"""Bytes of a header. The format allows 100,000,000; 1024 layers need 2,300,000. As text, a byte
may take 4 bytes, and once more as the one string in it."""
MAX_JSON_PARTS = 1 << 18
"""Brackets and commas in it: `[]` is 2 bytes here, 64 in memory, so bytes alone bound nothing."""
MAX_DIGITS = 19
MAX_DIMENSIONS = 8
SLAB = 1 << 20
"""Values read at once: 4 MiB as float32."""
ITEM_SIZES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E5M2": 1,
    "F8_E4M3": 1,
    "I16": 2,
    "U16": 2,
    "F16": 2,
    "BF16": 2,
    "I32": 4,
    "U32": 4,
    "F32": 4,
    "F64": 8,
    "I64": 8,
    "U64": 8,
}
"""Known dtypes, for the check of lengths; only F32, F16 and BF16 are read."""
_READABLE = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a safetensors header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    """Bytes from the start of the data."""
    end: int


class SafetensorsFile:
    """An opened and checked file; `tensors` maps names to TensorInfo."""

    def __init__(self, path: Path) -> None:
        """Open and check; raises AccessError, or ModelRejected naming the file and the tensor."""
        self.path = path
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise ModelRejected(
                    f"{path.name!r} was refused: it is no regular file.",
                    hint="put the file itself there.",
                )
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise AccessError(
                f"{str(path)!r} could not be opened: {error.strerror}.",
                hint="make the file readable.",
            ) from None
        try:
            self._start, self.tensors = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def rows(self, name: str, slab: int = SLAB) -> Iterator[npt.NDArray[np.float32]]:
        """Slabs of whole rows of a matrix [rows, columns], about `slab` values each, as float32.

        All but the last have a multiple of four rows.
        """
        info = self.tensors[name]
        columns = info.shape[-1]
        step = max(slab // columns // 4 * 4, 4) * columns
        count = prod(info.shape)
        for first in range(0, count, step):
            values = self._values(name, first, min(step, count - first))
            yield values.reshape(-1, columns)

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """A whole tensor as float32."""
        info = self.tensors[name]
        return self._values(name, 0, prod(info.shape)).reshape(info.shape)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _values(self, name: str, first: int, count: int) -> npt.NDArray[np.float32]:
        info = self.tensors[name]
        if info.dtype not in _READABLE:
            raise _bad(
                self.path, f"tensor {name!r} has dtype {info.dtype}; expected F32, F16 or BF16"
            )
        stored = np.empty(count, _READABLE[info.dtype])
        self._file.seek(self._start + info.start + first * stored.itemsize)
        self._fill(stored.data.cast("B"), f"tensor {name!r}")
        if info.dtype == "BF16":
            # bfloat16 is the upper half of a float32.
            return (stored.astype(np.uint32) << 16).view(np.float32)
        return stored.astype(np.float32, copy=False)

    def _fill(self, view: memoryview, name: str) -> None:
        done = 0
        while done < len(view):
            try:
                count = self._file.readinto(view[done:])
            except OSError as error:
                raise AccessError(
                    f"{str(self.path)!r} could not be read: {error}.",
                    hint="check the drive, and copy the file again.",
                ) from None
            if not count:
                raise _bad(self.path, f"the file became shorter while {name} was read")
            done += count

    def _read_header(self) -> tuple[int, dict[str, TensorInfo]]:
        size = os.fstat(self._file.fileno()).st_size
        if size < 8:
            raise _bad(self.path, f"it has {size} bytes; a safetensors file has at least 8")
        (length,) = struct.unpack("<Q", self._file.read(8))
        if length > MAX_JSON:
            raise _bad(self.path, f"its header claims {length} bytes; at most {MAX_JSON} are read")
        if 8 + length > size:
            raise _bad(self.path, f"its header claims {length} bytes, but the file has {size}")
        data = bytearray(length)
        self._fill(memoryview(data), "its header")
        return 8 + length, _parse_header(self.path, bytes(data), size - 8 - length)


def parse_json(path: Path, data: bytes) -> Any:
    """Parse JSON that may come from anyone; ModelRejected, also for a key that is given twice."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for name, item in items:
            if name in value:
                raise ValueError(f"{name[:80]!r} is given twice")
            value[name] = item
        return value

    if sum(data.count(mark) for mark in (b"[", b"{", b",")) > MAX_JSON_PARTS:
        raise _bad(path, f"its JSON has more than {MAX_JSON_PARTS} brackets and commas")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=pairs, parse_int=_whole_number)
    except RecursionError:
        raise _bad(path, "its JSON is nested too deeply") from None
    except ValueError as error:
        raise _bad(path, f"its JSON is not valid ({str(error)[:120]})") from None


def _whole_number(text: str) -> int:
    # Python's integers have no end, but what is computed from them may (a float), or take long.
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(text)


def _parse_header(path: Path, data: bytes, size: int) -> dict[str, TensorInfo]:
    raw = parse_json(path, data)
    if not isinstance(raw, dict):
        raise _bad(path, "its header is no JSON object")
    metadata = raw.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _bad(path, "its __metadata__ is no map of texts")
    tensors = {name: _parse_tensor(path, name, value) for name, value in raw.items()}
    end = 0
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if info.start != end:
            fault = "overlaps the one" if info.start < end else "leaves a hole"
            where = f"it starts at {info.start}, expected {end}"
            raise _bad(path, f"tensor {name[:80]!r} {fault} before it: {where}")
        end = info.end
    if end != size:
        raise _bad(path, f"its tensors end at {end}, but its data has {size} bytes")
    return tensors


def _parse_tensor(path: Path, name: str, raw: object) -> TensorInfo:
    if not isinstance(raw, dict) or set(raw) != {"dtype", "shape", "data_offsets"}:
        raise _bad(path, f"tensor {name[:80]!r} must have exactly dtype, shape and data_offsets")
    dtype, shape, offsets = raw["dtype"], raw["shape"], raw["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
        raise _bad(path, f"tensor {name[:80]!r} has the unknown dtype {str(dtype)[:40]!r}")
    if not _whole_numbers(shape) or len(shape) > MAX_DIMENSIONS:
        raise _bad(path, f"tensor {name[:80]!r} has a shape that is no list of whole numbers")
    if not _whole_numbers(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _bad(path, f"tensor {name[:80]!r} has data_offsets that are no [start, end]")
    expected = prod(shape) * ITEM_SIZES[dtype]
    if offsets[1] - offsets[0] != expected:
        raise _bad(
            path,
            f"tensor {name[:80]!r} has {offsets[1] - offsets[0]} bytes; "
            f"expected {expected} for {dtype} {shape}",
        )
    return TensorInfo(dtype, tuple(shape), offsets[0], offsets[1])


def _whole_numbers(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 63 for n in value)


def _bad(path: Path, detail: str) -> ModelRejected:
    return ModelRejected(
        f"{path.name!r} was refused: {detail}.",
        hint="download or export the checkpoint again; only intact safetensors files are read.",
    )
