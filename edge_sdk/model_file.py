"""The packed file, opened: verified, mapped into memory and read tensor by tensor.

It knows the file and its tensors by name; it does not know devices, text or checkpoints.
Nothing is copied: a matrix is a view of the mapped file, and only the pages that are used are read.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from edge_sdk.chat_template import ChatTemplate
from edge_sdk.config import ModelConfig
from edge_sdk.errors import (
    AccessError,
    ModelRejected,
    NotFound,
    UnsupportedOperation,
    UsageError,
)
from edge_sdk.model_header import MAGIC, MAX_HEADER, PREAMBLE, Header, data_start
from edge_sdk.model_layout import Entry, rejected
from edge_sdk.model_writer import ModelWriter
from edge_sdk.safe_text import printable
from edge_sdk.ternary import TWO, five_to_two, planes2_shape, planes5_shape

if TYPE_CHECKING:
    from edge_sdk.tokenizer import Tokenizer

__all__ = ["Model", "ModelWriter", "TernaryMatrix", "open_model"]

_CHUNK = 1 << 20
_NUMPY = {"float32": "<f4", "float16": "<f2", "int8": "i1"}


@dataclass(frozen=True)
class TernaryMatrix:
    """One packed matrix."""

    packed: npt.NDArray[np.uint8]
    """Read-only view into the mapped file, in the shape that edge_sdk.ternary packs to."""
    shape: tuple[int, int]
    """(out, in)."""
    scale: float
    """What a trit of 1 is worth: the step of the quantiser."""
    encoding: str
    """`ternary2` or `ternary1.6`."""

    @property
    def planes(self) -> npt.NDArray[np.uint8]:
        """The matrix as `ternary2`, uint8 [ceil(out/4), ceil(in/256), 4, 64].

        `packed` itself where the file has that; else made anew, for devices that read nothing else.
        """
        return self.packed if self.encoding == TWO else five_to_two(self.packed, self.shape)


class Model:
    """An opened, verified and mapped model. Close it, or use it as a context manager."""

    def __init__(
        self, path: Path, header: Header, sha256: str, mapped: mmap.mmap, start: int, name: str
    ) -> None:
        self.name = name
        """Printable, whatever the file says."""
        self.path = path
        self.config: ModelConfig = header.config
        self.sha256 = sha256
        """The model's identity: hex SHA-256 of all after the preamble."""
        self.file_size = len(mapped)
        self.chat_template: ChatTemplate = header.chat
        self.embedding_dtype = header.embedding
        """`int8`, `fp16` or `fp32`."""
        self.ternary_encoding = header.ternary
        """`ternary2` or `ternary1.6`: how every matrix is packed."""
        self.source = printable(header.source, newlines=False)
        """What the file was made from, in the words of its maker."""
        self.has_tokenizer = header.tokenizer is not None
        self.weight_bytes = sum(e.length for e in header.entries if e.ternary)
        """Bytes of packed ternary weights in the file."""
        shapes = [(e.shape[0], e.shape[1]) for e in header.entries if e.ternary]
        self.planes_bytes = sum(math.prod(planes2_shape(shape)) for shape in shapes)
        """Bytes of them at 2 bits a weight, which devices hold that read nothing else."""
        self._header = header
        self._mapped: mmap.mmap | None = mapped
        self._start = start
        self._entries = {entry.name: entry for entry in header.entries}
        matrices = [entry.name for entry in header.entries if entry.ternary]
        self._scales = dict(zip(matrices, self.vector("scales").tolist(), strict=True))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer in the file, parsed on first use; UnsupportedOperation if it has none."""
        from edge_sdk.tokenizer import Tokenizer

        length = self._header.tokenizer
        if length is None:
            raise UnsupportedOperation(
                f"the model {self.name!r} has no tokenizer, so it takes token ids only.",
                hint="put tokenizer.json beside the checkpoint and convert it again.",
            )
        start = self._start + self._header.tokenizer_offset
        tokenizer = Tokenizer.from_json(self._bytes()[start : start + length])
        check_tokenizer(tokenizer, self.config)
        return tokenizer

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """The ids that end an answer: those of the template's stop tokens, and end of sequence.

        A stop text that is no control token has no id; the chat code looks for it in the text.
        """
        stops = self.chat_template.stop if self.has_tokenizer else ()
        ids = [self.tokenizer.encode_control(text) for text in stops]
        known = [token for token in (*ids, self.config.eos_token_id) if token is not None]
        return tuple(dict.fromkeys(known))

    def matrix(self, name: str) -> TernaryMatrix:
        """A ternary matrix by name, e.g. `layers.0.attn.i_proj`; raises NotFound."""
        entry = self._entry(name, ternary=True)
        shape = (entry.shape[0], entry.shape[1])
        packed = planes2_shape(shape) if entry.encoding == TWO else planes5_shape(shape)
        view = self._view(entry, "u1", packed)
        return TernaryMatrix(view, shape, self._scales[name], entry.encoding)

    def vector(self, name: str) -> npt.NDArray[np.float32]:
        """A float32 tensor by name, read-only: a norm [n], `bounds` [L, d]; raises NotFound."""
        entry = self._entry(name, ternary=False)
        if entry.encoding != "float32" or name == "embeddings":
            raise NotFound(
                f"{name!r} is no vector; read embeddings with embed().",
                hint="matrix() reads ternary matrices.",
            )
        view: npt.NDArray[np.float32] = self._view(entry, "<f4", entry.shape)
        return view

    def check_ids(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """Token ids int64 [T]; raises UsageError unless all are whole numbers from 0 to V - 1."""
        rows = np.asarray(ids)
        size = self.config.vocab_size
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise UsageError(
                "token ids must be a list of whole numbers.",
                hint="model.tokenizer.encode(text) gives one.",
            )
        rows = rows.astype(np.int64)
        if rows.size and not 0 <= rows.min() <= rows.max() < size:
            raise UsageError(
                f"a token id is out of range; this model has the ids 0 to {size - 1}.",
                hint="encode the text with this model's own tokenizer.",
            )
        return rows

    @property
    def embedding_table(self) -> npt.NDArray[Any]:
        """The embedding [V, d] as stored, int8, float16 or float32: a view of the mapped file.

        int8 rows are worth their scale in the vector `embeddings.scale`.
        """
        entry = self._entry("embeddings", ternary=False)
        return self._view(entry, _NUMPY[entry.encoding], entry.shape)

    def embed(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Embedding rows float32 [T, d] of token ids; touches only those rows of the file.

        Raises UsageError for an id that is no whole number from 0 to V - 1.
        """
        rows = self.check_ids(ids)
        values: npt.NDArray[np.float32] = self.embedding_table[rows].astype(np.float32)
        if self.embedding_dtype == "int8":
            values *= self.vector("embeddings.scale")[rows, None]
        return values

    def close(self) -> None:
        """Unmap the file. Matrices that were handed out stay valid; asking for more fails."""
        mapped, self._mapped = self._mapped, None
        if mapped is not None:
            # Where views are still alive, the last of them unmaps the file.
            with suppress(BufferError):
                mapped.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _bytes(self) -> mmap.mmap:
        if self._mapped is None:
            raise UsageError(f"the model {self.name!r} is closed.", hint="open it again.")
        return self._mapped

    def _entry(self, name: str, *, ternary: bool) -> Entry:
        entry = self._entries.get(name)
        if entry is None or entry.ternary != ternary:
            kind = "ternary matrix" if ternary else "dense tensor"
            raise NotFound(
                f"the model {self.name!r} has no {kind} {name!r}.",
                hint="docs/model-file.md lists the names.",
            )
        return entry

    def _view(self, entry: Entry, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        offset = self._start + entry.offset
        count = entry.length // np.dtype(dtype).itemsize
        return np.frombuffer(self._bytes(), dtype, count, offset).reshape(shape)


def open_model(path: str | Path, *, verify: bool = True, name: str | None = None) -> Model:
    """Open a packed file, check all of it and map it.

    verify: hash the whole file (in chunks, so that memory stays flat) and check that every norm,
    bound and scale is finite. name: what to call the model, instead of the name in the file.
    Raises NotFound, AccessError, or ModelRejected for a file that differs from the format in any
    way, before anything in it is used. Without verify, `sha256` is what the file claims.
    While a model is open its file must not be changed in place; replacing it by renaming is safe.
    """
    path = Path(path)
    with _open(path) as file:
        header, digest, start = _read_header(file)
        if verify:
            _verify(file, digest)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    shown = printable(header.name if name is None else name, newlines=False) or "unnamed"
    model = Model(path, header, digest.hex(), mapped, start, shown)
    if verify:
        _check_vectors(model, header)
    return model


def check_tokenizer(tokenizer: Tokenizer, config: ModelConfig) -> None:
    """Raise ModelRejected if the tokenizer has ids that the model does not."""
    if tokenizer.vocab_size > config.vocab_size:
        raise ModelRejected(
            f"the tokenizer has {tokenizer.vocab_size} tokens, but the model has "
            f"{config.vocab_size}.",
            hint="use the tokenizer.json that the model was trained with.",
        )


def _open(path: Path) -> BufferedReader:
    try:
        # A pipe or a device would block or have no size.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{str(path)!r} is no file.", hint="name a packed model, x.edge.")
        return path.open("rb")
    except FileNotFoundError:
        raise NotFound(
            f"there is no file {str(path)!r}.",
            hint="`edge-sdk pull OWNER/NAME` downloads a model, `edge-sdk convert` packs one.",
        ) from None
    except (OSError, ValueError) as error:
        raise AccessError(
            f"{str(path)!r} could not be opened: {error}.",
            hint="make the file readable.",
        ) from None


def _read_header(file: BufferedReader) -> tuple[Header, bytes, int]:
    """(header, the hash that the file claims, start of the data section); reads no data."""
    size = os.fstat(file.fileno()).st_size
    preamble = file.read(PREAMBLE.size)
    if len(preamble) < PREAMBLE.size or preamble[: len(MAGIC)] != MAGIC:
        raise rejected("it does not start like one ('EDGESDK', version 1)")
    _, length, digest = PREAMBLE.unpack(preamble)
    if preamble != PREAMBLE.pack(MAGIC, length, digest):
        raise rejected("the reserved bytes of its preamble are not zero")
    if not 1 <= length <= MAX_HEADER:
        raise rejected(f"its header claims {length} bytes; expected 1 to {MAX_HEADER}")
    if PREAMBLE.size + length > size:
        raise rejected(f"its header claims {length} bytes, but the file has {size}")
    header = Header.unpack(file.read(length))
    start = data_start(length)
    if start + header.data_bytes != size:
        raise rejected(f"the file has {size} bytes; expected {start + header.data_bytes}")
    return header, digest, start


def _verify(file: BufferedReader, digest: bytes) -> None:
    # Read, not mapped: pages read through the map would count as this process's memory.
    file.seek(PREAMBLE.size)
    found = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    while count := file.readinto(buffer):
        found.update(view[:count])
    if found.digest() != digest:
        raise rejected("its contents do not match its SHA-256, so it was damaged or changed")


def _check_vectors(model: Model, header: Header) -> None:
    for entry in header.entries:
        if entry.encoding != "float32" or entry.name == "embeddings":
            continue
        if not np.isfinite(model.vector(entry.name)).all():
            raise rejected(f"tensor {entry.name!r} holds a value that is no finite number")
