"""Checkpoints: equal to the `safetensors` package, and malformed ones refused in a sentence."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.chat_template import PLAIN, ChatTemplate
from edge_sdk.checkpoint import Checkpoint
from edge_sdk.errors import AccessError, EdgeError, ModelRejected, NotFound, UsageError
from edge_sdk.safetensors_file import MAX_JSON, SafetensorsFile
from tests.helpers import (
    GOLDEN,
    TINY,
    encode,
    random_tensors,
    write_checkpoint,
    write_raw_safetensors,
    write_safetensors,
)


def entry(
    start: int, end: int, dtype: Any = "F32", shape: tuple[Any, ...] = (1,)
) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


WIDE = "\N{GRINNING FACE}".encode()
DEEP = b'{"a":' * 20_000 + b"1" + b"}" * 20_000
MALFORMED: dict[str, tuple[Any, int, int | None]] = {
    "header length 2^60": (b"{}", 0, 1 << 60),
    "header length 4 GiB": (b"{}", 0, 4 << 30),
    "offsets past the end": ({"a": entry(0, 8, shape=(2,))}, 4, None),
    "negative offsets": ({"a": entry(-4, 0), "b": entry(0, 4)}, 4, None),
    "overlap": ({"a": entry(0, 8, shape=(2,)), "b": entry(4, 12, shape=(2,))}, 12, None),
    "duplicate key": (b'{"a":%s,"a":%s}' % ((json.dumps(entry(0, 4)).encode(),) * 2), 4, None),
    "hole": ({"a": entry(0, 4), "b": entry(8, 12)}, 12, None),
    "uncovered end": ({"a": entry(0, 4)}, 8, None),
    "shape is not bytes": ({"a": entry(0, 4, shape=(2,))}, 4, None),
    "unknown dtype": ({"a": entry(0, 4, dtype="Q4")}, 4, None),
    "truncated header": (b'{"a": {"dtype"', 0, 400),
    "truncated JSON": (b'{"a": {"dtype"', 0, None),
    "deep JSON": (DEEP, 0, None),
    "no object": (b"[]", 0, None),
    "empty": (b"", 0, None),
    "no UTF-8": (b'{"\xff": 1}', 0, None),
    "tensor is no object": ({"a": 1}, 0, None),
    "unknown field": ({"a": entry(0, 4) | {"x": 1}}, 4, None),
    "dtype is no text": ({"a": entry(0, 4, dtype=["F32"])}, 4, None),
    "shape is no list": ({"a": entry(0, 4) | {"shape": 1}}, 4, None),
    "shape with a fraction": ({"a": entry(0, 4, shape=(1.0,))}, 4, None),
    "shape with a boolean": ({"a": entry(0, 4, shape=(True,))}, 4, None),
    "shape overflows": ({"a": entry(0, 4, shape=(1 << 40, 1 << 40))}, 4, None),
    "shape wraps to zero": ({"a": entry(0, 0, shape=(1 << 32, 1 << 32))}, 0, None),
    "too many dimensions": ({"a": entry(0, 4, shape=(1,) * 99)}, 4, None),
    "offsets backwards": ({"a": entry(4, 0)}, 4, None),
    "one offset": ({"a": entry(0, 4) | {"data_offsets": [0]}}, 4, None),
    "huge offset": ({"a": entry(0, 10**400)}, 4, None),
    "metadata is no map": ({"__metadata__": [1]}, 0, None),
    "a long number": (b'{"a": ' + b"1" * 5000 + b"}", 0, None),
    # One character beyond U+FFFF makes Python keep the whole text at four bytes a character.
    "wide text": (b'{"a": "' + WIDE + b"x" * (MAX_JSON - 20) + b'"}', 0, None),
    "wide texts": (b'{"a": [' + b'"%b%60d",' % (WIDE, 0) * (MAX_JSON // 68) + b"1]}", 0, None),
    "many small lists": (b'{"a": [' + b"[]," * 500_000 + b"[]]}", 0, None),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_safetensors_are_refused(case: str, tmp_path: Path) -> None:
    header, data, length = MALFORMED[case]
    path = tmp_path / "model.safetensors"
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    write_raw_safetensors(path, raw, bytes(data), length)
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises(ModelRejected) as refused:
        SafetensorsFile(path)
    # A time-out against hanging and a cap on memory, not a measurement.
    assert time.monotonic() - started < 20
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert "'model.safetensors' was refused" in refused.value.message
    assert refused.value.message.count("\n") == 0
    assert refused.value.hint


def test_a_file_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRejected, match="no regular file"):
        SafetensorsFile(tmp_path)
    with pytest.raises(AccessError):
        SafetensorsFile(tmp_path / "missing")
    short = tmp_path / "short"
    short.write_bytes(b"1234567")
    with pytest.raises(ModelRejected, match="at least 8"):
        SafetensorsFile(short)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_mutated_header_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    header = bytearray(json.dumps({"a": entry(0, 8, shape=(2,)), "b": entry(8, 12)}).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(header) - 1))
        header[at] = data.draw(st.sampled_from(b'0123456789-{}[]",:eE.\\ \x00\xffab'))
    path = tmp_path_factory.getbasetemp() / "fuzzed.safetensors"
    write_raw_safetensors(path, bytes(header), bytes(12))
    try:
        SafetensorsFile(path).close()
    except ModelRejected:
        return
    # What we accept, the reference implementation accepts too.
    safetensors.numpy.load_file(path)


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_values_equal_the_safetensors_package(dtype: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(13, 40)).astype(np.float32)
    path = tmp_path / "x.safetensors"
    if dtype == "BF16":
        write_safetensors(path, {"w": values}, dtype)
        expected = (values.view(np.uint32) & 0xFFFF0000).view(np.float32)
    else:
        stored = values.astype({"F32": np.float32, "F16": np.float16}[dtype])
        safetensors.numpy.save_file({"w": stored, "a": np.ones(3, stored.dtype)}, path)
        expected = safetensors.numpy.load_file(path)["w"].astype(np.float32)
    file = SafetensorsFile(path)
    np.testing.assert_array_equal(file.read("w"), expected)
    slabs = list(file.rows("w", slab=170))
    assert [len(slab) for slab in slabs] == [4, 4, 4, 1]
    np.testing.assert_array_equal(np.concatenate(slabs), expected)
    file.close()


def test_the_golden_checkpoint_reads_as_the_package_reads_it() -> None:
    expected = safetensors.numpy.load_file(GOLDEN / "model.safetensors")
    with Checkpoint(GOLDEN) as checkpoint:
        for name, values in expected.items():
            np.testing.assert_array_equal(checkpoint.tensor(name), values)
        assert checkpoint.dtypes == ("F32",)
        assert checkpoint.chat_template == PLAIN
        assert checkpoint.tokenizer_json is None


def test_shards_give_the_same_tensors(tmp_path: Path) -> None:
    tensors = random_tensors()
    folder = write_checkpoint(tmp_path, tensors=tensors, shards=3)
    with Checkpoint(folder) as checkpoint:
        for name, values in tensors.items():
            np.testing.assert_array_equal(checkpoint.tensor(name), values)
        assert checkpoint.size == sum(values.nbytes for values in tensors.values())


def refusal(folder: Path) -> EdgeError:
    with pytest.raises(EdgeError) as error:
        Checkpoint(folder)
    return error.value


INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    "shard",
    ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "..\\x.safetensors", "", "x.bin"],
)
def test_a_shard_outside_the_folder_is_refused(shard: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, shards=2)
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"]["model.norm.weight"] = shard
    (folder / INDEX).write_text(json.dumps(index))
    assert "no plain *.safetensors name" in refusal(folder).message


def test_an_index_that_lies_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, shards=2)
    index = json.loads((folder / INDEX).read_text())
    shards = sorted(set(index["weight_map"].values()))
    for change in (
        {
            "model.norm.weight": next(
                s for s in shards if s != index["weight_map"]["model.norm.weight"]
            )
        },
        {"model.unknown": shards[0]},
    ):
        (folder / INDEX).write_text(json.dumps({"weight_map": index["weight_map"] | change}))
        assert "disagree" in refusal(folder).message
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": 1}}))
    assert "weight_map" in refusal(folder).message
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "gone.safetensors"}}))
    assert "is missing" in refusal(folder).message
    (folder / INDEX).write_text(
        json.dumps({"weight_map": {str(i): f"{i}.safetensors" for i in range(999)}})
    )
    assert "at most" in refusal(folder).message


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, shards=2)
    index = json.loads((folder / INDEX).read_text())["weight_map"]
    second = sorted(set(index.values()))[1]
    part = {name: random_tensors()[name] for name in index if index[name] == second}
    first = next(name for name in index if index[name] != second)
    write_safetensors(folder / second, part | {first: random_tensors()[first]})
    assert "disagree" in refusal(folder).message


def test_missing_unknown_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    tensors = random_tensors()
    norm = "model.layers.1.attn.g_norm.weight"
    without = {name: values for name, values in tensors.items() if name != norm}
    error = refusal(write_checkpoint(tmp_path / "missing", tensors=without))
    assert isinstance(error, ModelRejected)
    assert norm in error.message
    more = tensors | {"lm_head.bias": np.zeros(TINY.vocab_size, np.float32)}
    assert (
        "'lm_head.bias' is not part"
        in refusal(write_checkpoint(tmp_path / "x", tensors=more)).message
    )
    many = tensors | {f"extra.{i}": np.zeros(1, np.float32) for i in range(5)}
    assert (
        "and 2 more are not part" in refusal(write_checkpoint(tmp_path / "y", tensors=many)).message
    )
    square = tensors | {"model.lower_bounds": np.zeros((2, 41), np.float32)}
    message = refusal(write_checkpoint(tmp_path / "shape", tensors=square)).message
    assert "[2, 41]" in message
    assert "[2, 40]" in message


def test_a_dtype_that_is_no_weight_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    tensors = random_tensors()
    stored = tensors | {"model.norm.weight": tensors["model.norm.weight"].astype(np.float64)}
    safetensors.numpy.save_file(stored, folder / "model.safetensors")
    assert "is F64; expected F32, F16 or BF16" in refusal(folder).message


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(bad: float, tmp_path: Path) -> None:
    tensors = random_tensors()
    tensors["lm_head.weight"][100, 3] = bad
    with Checkpoint(write_checkpoint(tmp_path, tensors=tensors)) as checkpoint:
        with pytest.raises(ModelRejected, match=r"lm_head\.weight.*NaN or infinity"):
            list(checkpoint.rows("lm_head.weight"))
        with pytest.raises(ModelRejected, match=r"lm_head\.weight"):
            checkpoint.tensor("lm_head.weight")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "consolidated.00.pth"])
def test_a_pickle_is_refused_and_never_opened(name: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    (folder / "model.safetensors").rename(folder / name)
    (folder / name).chmod(0)
    error = refusal(folder)
    assert isinstance(error, ModelRejected)
    assert "pickle" in error.message
    assert "safe_serialization" in str(error.hint)


def test_a_folder_that_is_no_checkpoint_says_so(tmp_path: Path) -> None:
    assert isinstance(refusal(tmp_path / "gone"), NotFound)
    assert "config.json" in refusal(tmp_path).message
    (tmp_path / "config.json").write_bytes((GOLDEN / "config.json").read_bytes())
    assert "model.safetensors" in refusal(tmp_path).message
    assert isinstance(refusal(tmp_path / "config.json"), UsageError)


@pytest.mark.parametrize(
    "config",
    [b"", b"[]", b'{"model_type": "llama"}', b"\xff", b" " * (1 << 21), DEEP, b'{"a":1,"a":2}'],
)
def test_a_malformed_config_is_refused(config: bytes, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    (folder / "config.json").write_bytes(config)
    assert isinstance(refusal(folder), ModelRejected)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    assert "no regular file" in refusal(folder).message


def test_names_from_a_file_are_cut_and_inert(tmp_path: Path) -> None:
    name = "\x1b]52;" + "x" * 10_000
    write_raw_safetensors(tmp_path / "a", json.dumps({name: 1}).encode())
    with pytest.raises(ModelRejected) as refused:
        SafetensorsFile(tmp_path / "a")
    assert "\x1b" not in refused.value.message
    assert len(refused.value.message) < 300


@given(
    field=st.sampled_from(["vocab_size", "hidden_size", "num_hidden_layers", "rms_norm_eps"]),
    value=st.one_of(
        st.integers(), st.just(10**400), st.floats(), st.text(max_size=9), st.lists(st.integers())
    ),
)
@settings(max_examples=100, deadline=None)
def test_any_value_in_a_config_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, field: str, value: Any
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "hgrn_bit", field: value}))
    # Either the config is refused, or the folder for having no weights.
    assert isinstance(refusal(folder), ModelRejected | NotFound)


def test_bfloat16_is_the_upper_half() -> None:
    assert encode(np.array([1.0, -2.0], np.float32), "BF16") == b"\x80\x3f\x00\xc0"


def test_the_chat_template_is_read_and_checked(tmp_path: Path) -> None:
    chat = {"user": ["<|user|>", ""], "assistant": ["<|bot|>", "<|end|>"], "stop": ["<|end|>"]}
    folder = write_checkpoint(tmp_path, chat=chat)
    with Checkpoint(folder) as checkpoint:
        template = checkpoint.chat_template
    assert template == ChatTemplate(("<|user|>", ""), ("<|bot|>", "<|end|>"), ("<|end|>",))
    assert template.to_dict() == chat
    for change in (
        {"user": ["x"]},
        {"user": "xy"},
        {"assistant": ["a", 1]},
        {"stop": ["x"] * 17},
        {"stop": [""]},
        {"stop": ["x" * 257]},
        {"stop": ["\ud800"]},
        {"more": 1},
    ):
        with pytest.raises(ModelRejected, match="chat template was refused"):
            ChatTemplate.from_dict(chat | change)
    with pytest.raises(ModelRejected):
        ChatTemplate.from_dict([])
