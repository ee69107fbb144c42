"""The packed file's tensors: which ones a config implies, how long each is and where it lies.

It knows names, shapes, encodings and offsets; it does not know open files or weights.
docs/model-file.md describes the format for other readers and writers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from edge_sdk.config import ModelConfig
from edge_sdk.errors import ModelRejected
from edge_sdk.ternary import FIVE, TWO, planes2_shape, planes5_shape

ALIGN = 64
"""Bytes: a cache line, and the widest vector load."""
TERNARY = {"2": TWO, "1.6": FIVE}
"""Bits a weight -> encoding of every ternary matrix of the file."""
EMBEDDINGS = {"int8": "int8", "fp16": "float16", "fp32": "float32"}
"""Embedding choice -> encoding of the tensor `embeddings`."""
_ITEM_SIZE = {"int8": 1, "float16": 2, "float32": 4}

Tensor = tuple[str, str, tuple[int, ...]]
"""Name, encoding and shape."""


@dataclass(frozen=True)
class Entry:
    """One tensor of the packed file."""

    name: str
    encoding: str
    """`ternary2`, `ternary1.6`, `float32`, `float16` or `int8`."""
    shape: tuple[int, ...]
    offset: int
    """Bytes from the start of the data section, a multiple of 64."""
    length: int
    """Bytes."""

    @property
    def ternary(self) -> bool:
        """Whether it is a packed matrix."""
        return self.encoding in TERNARY.values()

    def to_header(self) -> dict[str, Any]:
        """The entry as plain values."""
        return {
            "name": self.name,
            "encoding": self.encoding,
            "shape": list(self.shape),
            "offset": self.offset,
            "length": self.length,
        }


def align(offset: int, to: int = ALIGN) -> int:
    """The first multiple of `to` at or after `offset`."""
    return -(-offset // to) * to


def byte_length(encoding: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor; exact, whatever the shape claims (Python integers do not overflow)."""
    if encoding == TWO:
        return prod(planes2_shape((shape[0], shape[1])))
    if encoding == FIVE:
        return prod(planes5_shape((shape[0], shape[1])))
    return _ITEM_SIZE[encoding] * prod(shape)


def layout(config: ModelConfig, embedding: str, ternary: str = TWO) -> list[Entry]:
    """All tensors of a model, in the order of execution, which is their order in the file.

    ternary: the encoding of the matrices.
    """
    entries: list[Entry] = []
    end = 0
    for name, encoding, shape in _tensors(config, embedding, ternary):
        length = byte_length(encoding, shape)
        entries.append(Entry(name, encoding, shape, align(end), length))
        end = entries[-1].offset + length
    return entries


def _tensors(config: ModelConfig, embedding: str, ternary: str) -> Iterator[Tensor]:
    d, i, v = config.hidden_size, config.intermediate_size, config.vocab_size
    matrices = 0

    def stack(at: str, shapes: dict[str, tuple[int, int]]) -> Iterator[Tensor]:
        """The inner norms of some matrices, then the matrices, which so lie without a gap."""
        nonlocal matrices
        matrices += len(shapes)
        for name, (_, width) in shapes.items():
            yield f"{at}{name}.norm", "float32", (width,)
        for name, shape in shapes.items():
            yield f"{at}{name}", ternary, shape

    yield "embeddings", EMBEDDINGS[embedding], (v, d)
    if embedding == "int8":
        yield "embeddings.scale", "float32", (v,)
    yield "bounds", "float32", (config.num_layers, d)
    for layer in range(config.num_layers):
        at = f"layers.{layer}."
        for norm in ("attn_norm", "attn.g_norm", "mlp_norm"):
            yield f"{at}{norm}", "float32", (d,)
        projections = {f"attn.{projection}_proj": (d, d) for projection in "ifgo"}
        yield from stack(at, {**projections, "mlp.gate_proj": (2 * i, d), "mlp.down_proj": (d, i)})
    yield "norm", "float32", (d,)
    yield from stack("", {"lm_head": (v, d)})
    # Last, so that a writer that streams can hash the file in one pass.
    yield "scales", "float32", (matrices,)


def check_entries(raw: object, expected: list[Entry]) -> None:
    """Compare a header's tensor table with the one that its config implies; raises ModelRejected.

    Equality means: no tensor missing, unknown or twice, no overlap, no hole, every length right.
    """
    if not isinstance(raw, list) or len(raw) != len(expected):
        count = len(raw) if isinstance(raw, list) else "no list of"
        raise rejected(f"it lists {count} tensors; expected {len(expected)} for its config")
    for found, wanted in zip(raw, expected, strict=True):
        fields = wanted.to_header()
        if not isinstance(found, dict) or set(found) != set(fields):
            raise rejected(
                f"the entry of tensor {wanted.name!r} must have the fields {', '.join(fields)}"
            )
        for field, value in fields.items():
            # True == 1 and 1.0 == 1: the type has to be right, too.
            if repr(found[field]) != repr(value):
                raise rejected(
                    f"tensor {wanted.name!r} has the {field} {str(found[field])[:80]!r}; "
                    f"expected {value!r}"
                )


def rejected(detail: str) -> ModelRejected:
    """The error for a packed file that differs from the format, with its remedy."""
    return ModelRejected(
        f"the packed model was refused: {detail}.",
        hint="convert the checkpoint again with this version of edge-sdk, or download it again.",
    )
