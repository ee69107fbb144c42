"""Malformed packed files: each one refused in a sentence, at once and in little memory."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.errors import ModelRejected
from edge_sdk.model_file import open_model
from edge_sdk.model_header import Header
from tests.helpers import packed_model, tiny_tokenizer_json


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_model(tmp_path_factory.mktemp("packed"), tokenizer=tiny_tokenizer_json())


def header_of(data: bytes) -> dict[str, Any]:
    (length,) = struct.unpack_from("<Q", data, 8)
    header: dict[str, Any] = msgpack.unpackb(data[64 : 64 + length])
    return header


def build(header: bytes, data: bytes, length: int | None = None) -> bytes:
    """A file with any header and a right hash."""
    start = -(-(64 + len(header)) // 4096) * 4096
    rest = header + bytes(start - 64 - len(header)) + data
    claimed = len(header) if length is None else length
    digest = hashlib.sha256(rest).digest()
    return b"EDGESDK\x01" + struct.pack("<Q", claimed) + digest + bytes(16) + rest


def data_of(data: bytes) -> bytes:
    (length,) = struct.unpack_from("<Q", data, 8)
    return data[-(-(64 + length) // 4096) * 4096 :]


def refusal(tmp_path: Path, data: bytes, *, verify: bool = True) -> ModelRejected:
    path = tmp_path / "bad.edge"
    path.write_bytes(data)
    with pytest.raises(ModelRejected) as error:
        open_model(path, verify=verify)
    assert error.value.hint
    assert "\n" not in error.value.message
    return error.value


def test_a_name_in_a_file_cannot_steer_a_terminal(packed: Path, tmp_path: Path) -> None:
    header = header_of(packed.read_bytes()) | {"name": "\x1b]52;c;x\x07evil\u202e\nname"}
    path = tmp_path / "x.edge"
    path.write_bytes(build(msgpack.packb(header), data_of(packed.read_bytes())))
    with open_model(path) as model:
        assert model.name == "]52;c;xevil name"


def test_every_byte_counts(packed: Path, tmp_path: Path) -> None:
    data = packed.read_bytes()
    rng = np.random.default_rng(0)
    places = [*range(64), 64, 4095, len(data) - 1, *rng.integers(64, len(data), 100).tolist()]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        refusal(tmp_path, bytes(changed))


def test_truncated_and_lengthened_files(packed: Path, tmp_path: Path) -> None:
    data = packed.read_bytes()
    for length in (0, 7, 8, 63, 64, 65, 4000, 4096, len(data) // 2, len(data) - 1):
        for verify in (True, False):
            refusal(tmp_path, data[:length], verify=verify)
    assert "expected" in refusal(tmp_path, data + b"\0", verify=False).message


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + bytes(100),
        b"\x80\x04\x95" + bytes(100),
        b"GGUF\x03\0\0\0" + bytes(100),
        b"EDGESDK\x02" + bytes(100),
        b"EDGESDK\x01" + struct.pack("<Q", 4 << 30) + bytes(100),
        b"EDGESDK\x01" + struct.pack("<Q", (1 << 64) - 1) + bytes(100),
        b"EDGESDK\x01" + struct.pack("<Q", 0) + bytes(100),
        b"EDGESDK\x01" + struct.pack("<Q", 16 << 20) + bytes(100),
    ],
)
def test_other_kinds_of_files_are_refused(data: bytes, tmp_path: Path) -> None:
    refusal(tmp_path, data)


def change(header: dict[str, Any], path: list[Any], value: object) -> bytes:
    """The header with one value replaced, or one key added or (value ...) removed."""
    copy = json.loads(json.dumps(header))
    place: Any = copy
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    packed: bytes = msgpack.packb(copy)
    return packed


CHANGES: dict[str, tuple[list[Any], object]] = {
    "another version": (["format"], 2),
    "version as text": (["format"], "1"),
    "no version": (["format"], ...),
    "unknown field": (["more"], 1),
    "missing field": (["chat"], ...),
    "name is no text": (["name"], 5),
    "long name": (["name"], "x" * 257),
    "long source": (["source"], "x" * 5000),
    "unknown embedding": (["embedding"], "int4"),
    "another embedding": (["embedding"], "fp16"),
    "config field missing": (["config", "norm_eps"], ...),
    "config field unknown": (["config", "heads"], 1),
    "more layers": (["config", "num_layers"], 3),
    "no layers": (["config", "num_layers"], 0),
    "many layers": (["config", "num_layers"], 1 << 40),
    "huge width": (["config", "hidden_size"], 1 << 60),
    "width as text": (["config", "hidden_size"], "40"),
    "another width": (["config", "intermediate_size"], 71),
    "eps is not a number": (["config", "norm_eps"], float("nan")),
    "eos out of range": (["config", "eos_token_id"], 130),
    "chat is no map": (["chat"], []),
    "chat stop is empty text": (["chat", "stop"], [""]),
    "tokenizer is a list": (["tokenizer"], []),
    "tokenizer too long": (["tokenizer", "length"], 1 << 40),
    "tokenizer negative": (["tokenizer", "length"], -1),
    "tokenizer empty": (["tokenizer", "length"], 0),
    "tokenizer elsewhere": (["tokenizer", "offset"], 0),
    "tokenizer half": (["tokenizer", "offset"], 0.5),
    "no tokenizer": (["tokenizer"], None),
    "tensors is no list": (["tensors"], {}),
    "no tensors": (["tensors"], []),
    "tensor twice": (["tensors", 1, "name"], "embeddings"),
    "tensor is a number": (["tensors", 1], 1),
    "tensor with more fields": (["tensors", 1, "more"], 1),
    "unknown encoding": (["tensors", -2, "encoding"], "ternary3"),
    "encoding is a list": (["tensors", -2, "encoding"], ["ternary2"]),
    "another encoding": (["tensors", -2, "encoding"], "ternary1.6"),
    "two encodings": (["tensors", 5, "encoding"], "ternary1.6"),
    "shape swapped": (["tensors", 0, "shape"], [40, 130]),
    "shape overflows": (["tensors", 0, "shape"], [1 << 62, 1 << 62]),
    "shape as fractions": (["tensors", 0, "shape"], [130.0, 40.0]),
    "boolean offset": (["tensors", 0, "offset"], False),
    "overlap": (["tensors", 1, "offset"], 0),
    "hole": (["tensors", 1, "offset"], 1 << 20),
    "negative offset": (["tensors", 0, "offset"], -64),
    "offset past the end": (["tensors", 3, "offset"], 1 << 62),
    "length short": (["tensors", 0, "length"], 5),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_header_that_differs_is_refused_before_its_data_is_used(
    case: str, packed: Path, tmp_path: Path
) -> None:
    data = packed.read_bytes()
    header = change(header_of(data), *CHANGES[case])
    refusal(tmp_path, build(header, data_of(data)), verify=False)


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\xc0"


BOMBS = {
    "nested lists": nested(100_000),
    "nested maps": b"\x81\xa1a" * 100_000 + b"\xc0",
    "list of 4 G": b"\xdd\xff\xff\xff\xff",
    "map of 4 G": b"\xdf\xff\xff\xff\xff",
    "text of 4 G": b"\xdb\xff\xff\xff\xff",
    "bytes of 4 G": b"\xc6\xff\xff\xff\xff",
    "extension of 4 G": b"\xc9\xff\xff\xff\xff\x01",
    "small extension": b"\xd4\x01\x00",
    "timestamp": b"\xd6\xff\0\0\0\0",
    "reserved byte": b"\xc1",
    "bad UTF-8": b"\xa2\xff\xff",
    "trailing data": b"\x80\x80",
    "duplicate key": b"\x82\xa6format\x01\xa6format\x01",
    "bytes as key": b"\x81\xc4\x01a\x01",
    "number as key": b"\x81\x01\x01",
    "a million lists": b"\xdd\x00\x00\x40\x00" + (b"\xdc\x00\x40" + b"\x90" * 64) * (1 << 14),
    "16 MiB of lists": (b"\xdc\x40\x00" + b"\x90" * 16383) * 1000,
    "lists prepared and not filled": (b"\xdc\x3f\xff" * 500),
}


@pytest.mark.parametrize("case", BOMBS)
def test_msgpack_bombs_are_refused(case: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, build(BOMBS[case], b"")).message
    assert "header" in message
    assert "()" not in message


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_mutated_header_is_refused_or_harmless(
    packed: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = packed.read_bytes()
    header = bytearray(msgpack.packb(header_of(file)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(len(header) - 1, 900)))
        kind = data.draw(st.sampled_from(["set", "insert", "delete"]))
        if kind == "set":
            header[at] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            header.insert(at, data.draw(st.integers(0, 255)))
        else:
            del header[at]
    path = tmp_path_factory.getbasetemp() / "fuzzed.edge"
    path.write_bytes(build(bytes(header), data_of(file)))
    try:
        with open_model(path) as model:
            assert model.matrix("lm_head").shape == (130, 40)
    except ModelRejected:
        pass


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_as_header_are_refused(data: bytes) -> None:
    with pytest.raises(ModelRejected):
        Header.unpack(data)


def test_refusing_needs_little_memory(packed: Path, tmp_path: Path) -> None:
    """The corpus in a fresh process: a file that claims gigabytes, or is made of tiny lists."""
    for name, bomb in BOMBS.items():
        (tmp_path / f"{name}.edge").write_bytes(build(bomb, b""))
    claim = b"EDGESDK\x01" + struct.pack("<Q", 4 << 30) + bytes(100)
    (tmp_path / "claim.edge").write_bytes(claim)
    code = """if True:
        import resource, sys, time
        from pathlib import Path
        from edge_sdk.errors import ModelRejected
        from edge_sdk.model_file import open_model
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for path in Path(sys.argv[1]).glob("*.edge"):
            try:
                open_model(path)
            except ModelRejected:
                continue
            raise SystemExit(f"{path} was opened")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    command = [sys.executable, "-c", code, str(tmp_path)]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    kibibytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kibibytes < 50_000


def test_vectors_that_are_no_numbers_are_refused(packed: Path, tmp_path: Path) -> None:
    data = packed.read_bytes()
    header = header_of(data)
    for name in ("norm", "bounds", "scales", "embeddings.scale"):
        entry = next(tensor for tensor in header["tensors"] if tensor["name"] == name)
        body = bytearray(data_of(data))
        body[entry["offset"] : entry["offset"] + 4] = struct.pack("<f", float("nan"))
        error = refusal(tmp_path, build(msgpack.packb(header), bytes(body)))
        assert repr(name) in error.message
