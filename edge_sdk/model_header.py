"""The first part of a packed file: preamble and msgpack header, written and strictly read.

It knows bytes, fields and caps; it does not know the weights, nor how a file is opened.
docs/model-file.md describes the format for other readers and writers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack

from edge_sdk.chat_template import PLAIN, ChatTemplate
from edge_sdk.config import ModelConfig
from edge_sdk.model_layout import (
    EMBEDDINGS,
    TERNARY,
    Entry,
    align,
    check_entries,
    layout,
    rejected,
)
from edge_sdk.ternary import TWO
from edge_sdk.tokenizer_file import MAX_BYTES as MAX_TOKENIZER

MAGIC = b"EDGESDK\x01"
PREAMBLE = struct.Struct("<8sQ32s16x")
"""Magic, header length, SHA-256 of everything after the preamble, zeros: 64 bytes."""
FORMAT = 1
PAGE = 4096
"""The data section starts at a multiple of it, so that it can be mapped or read unbuffered."""
MAX_HEADER = 16 << 20
MAX_NAME = 256
MAX_SOURCE = 4096
_FIELDS = {"format", "name", "source", "config", "embedding", "chat", "tokenizer", "tensors"}
_MAX_ARRAY = 1 << 14
_MAX_CONTAINERS = 1 << 16
"""Lists and maps in a header: 1024 layers have 31,000. An empty one is 1 byte, but 64 in memory."""


@dataclass(frozen=True)
class Header:
    """What a packed file says of itself."""

    config: ModelConfig
    name: str
    embedding: str
    """`int8`, `fp16` or `fp32`."""
    chat: ChatTemplate = PLAIN
    tokenizer: int | None = None
    """Bytes of the tokenizer.json that follows the last tensor; None: the file has none."""
    source: str = ""
    """Free text: what the file was made from."""
    ternary: str = TWO
    """The encoding of every ternary matrix: `ternary2` or `ternary1.6`."""
    entries: list[Entry] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if self.embedding not in EMBEDDINGS:
            raise rejected(f"its embedding is {self.embedding!r}; expected int8, fp16 or fp32")
        object.__setattr__(self, "entries", layout(self.config, self.embedding, self.ternary))

    @property
    def tensor_bytes(self) -> int:
        """Length of the data section up to the end of the last tensor."""
        return self.entries[-1].offset + self.entries[-1].length

    @property
    def tokenizer_offset(self) -> int:
        """Where tokenizer.json lies in the data section."""
        return align(self.tensor_bytes)

    @property
    def data_bytes(self) -> int:
        """Length of the whole data section."""
        if self.tokenizer is None:
            return self.tensor_bytes
        return self.tokenizer_offset + self.tokenizer

    def pack(self) -> bytes:
        """The msgpack map."""
        tokenizer = None
        if self.tokenizer is not None:
            tokenizer = {"offset": self.tokenizer_offset, "length": self.tokenizer}
        packed: bytes = msgpack.packb(
            {
                "format": FORMAT,
                "name": self.name,
                "source": self.source,
                "config": self.config.to_header(),
                "embedding": self.embedding,
                "chat": self.chat.to_dict(),
                "tokenizer": tokenizer,
                "tensors": [entry.to_header() for entry in self.entries],
            }
        )
        return packed

    @classmethod
    def unpack(cls, packed: bytes) -> Header:
        """Read what `pack` wrote; raises ModelRejected on anything that differs in any way."""
        raw = _decode(packed)
        if not isinstance(raw, dict) or type(raw.get("format")) is not int:
            raise rejected("its header is no map with a format version")
        if raw["format"] != FORMAT:
            raise rejected(f"its format version is {raw['format']}; this edge-sdk reads {FORMAT}")
        if set(raw) != _FIELDS:
            raise rejected(f"its header must have exactly the fields {', '.join(sorted(_FIELDS))}")
        header = cls(
            config=ModelConfig.from_header(raw["config"]),
            name=_text("name", raw["name"], MAX_NAME),
            embedding=_text("embedding", raw["embedding"], 8),
            chat=ChatTemplate.from_dict(raw["chat"]),
            tokenizer=_tokenizer_length(raw["tokenizer"]),
            source=_text("source", raw["source"], MAX_SOURCE),
            ternary=_ternary(raw["tensors"]),
        )
        check_entries(raw["tensors"], header.entries)
        if raw["tokenizer"] is not None and raw["tokenizer"]["offset"] != header.tokenizer_offset:
            raise rejected(f"its tokenizer must start at {header.tokenizer_offset}")
        return header


def data_start(header_length: int) -> int:
    """Where the data section starts in the file."""
    return align(PREAMBLE.size + header_length, PAGE)


def _decode(packed: bytes) -> Any:
    count: Callable[[], int] = iter(range(_MAX_CONTAINERS)).__next__

    def pairs(items: list[tuple[Any, Any]]) -> dict[str, Any]:
        count()
        value = dict(items)
        if len(value) != len(items) or not all(isinstance(key, str) for key in value):
            raise ValueError("a map has a key twice, or one that is no text")
        return value

    def array(items: list[Any]) -> list[Any]:
        count()
        return items

    try:
        return msgpack.unpackb(
            packed,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=pairs,
            list_hook=array,
            max_str_len=MAX_SOURCE,
            max_bin_len=0,
            max_ext_len=0,
            max_array_len=_MAX_ARRAY,
            max_map_len=64,
        )
    except StopIteration:
        raise rejected(f"its header has more than {_MAX_CONTAINERS} lists and maps") from None
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        detail = str(error)[:80] or type(error).__name__
        raise rejected(f"its header is no valid msgpack map ({detail})") from None


def _text(name: str, value: object, limit: int) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise rejected(f"its {name} must be a text of at most {limit} characters")
    return value


def _ternary(tensors: object) -> str:
    """The encoding that the table of tensors gives the head; the table is checked afterwards."""
    for entry in tensors if isinstance(tensors, list) else ():
        if isinstance(entry, dict) and entry.get("name") == "lm_head":
            if entry.get("encoding") in TERNARY.values():
                return str(entry["encoding"])
            known = " and ".join(TERNARY.values())
            raise rejected(
                f"its matrices are encoded as {str(entry.get('encoding'))[:80]!r}; this edge-sdk "
                f"reads {known}"
            )
    return TWO


def _tokenizer_length(raw: object) -> int | None:
    if raw is None:
        return None
    if not isinstance(raw, dict) or set(raw) != {"offset", "length"}:
        raise rejected("its tokenizer must be null or have an offset and a length")
    if type(raw["offset"]) is not int or type(raw["length"]) is not int:
        raise rejected("its tokenizer's offset and length must be whole numbers")
    length: int = raw["length"]
    if not 1 <= length <= MAX_TOKENIZER:
        raise rejected(f"its tokenizer has {length} bytes; expected 1 to {MAX_TOKENIZER}")
    return length
