"""The packed file: what is written is read, and nothing else is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.chat_template import PLAIN
from edge_sdk.errors import (
    AccessError,
    EdgeError,
    ModelRejected,
    NotFound,
    UnsupportedOperation,
    UsageError,
)
from edge_sdk.model_file import ModelWriter, open_model
from edge_sdk.model_layout import layout
from edge_sdk.ternary import pack2, quantise, unpack2
from tests.helpers import TINY, packed_model, random_tensors, tiny_tokenizer_json

CHAT = {
    "user": ["<|user|>", ""],
    "assistant": ["<|bot|>", "<|end|>"],
    "stop": ["<|end|>", "<|user|>", "plain text"],
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    return packed_model(folder, tokenizer=tiny_tokenizer_json(), chat=CHAT)


def test_every_tensor_is_read_back(packed: Path) -> None:
    tensors = random_tensors()
    with open_model(packed) as model:
        assert model.config == TINY
        ternary = 0
        for name in [n for n in tensors if n.endswith("proj.weight") or n == "lm_head.weight"]:
            short = name.removeprefix("model.").removesuffix(".weight")
            matrix = model.matrix(short)
            trits, step = quantise(tensors[name])
            assert matrix.scale == step
            assert matrix.shape == trits.shape
            assert matrix.encoding == "ternary2"
            assert not matrix.planes.flags.writeable
            assert matrix.planes.ctypes.data % 64 == 0
            np.testing.assert_array_equal(matrix.planes, pack2(trits))
            np.testing.assert_array_equal(unpack2(matrix.planes, matrix.shape), trits)
            ternary += matrix.planes.nbytes
            norm = model.vector(f"{short}.norm")
            np.testing.assert_array_equal(norm, tensors[name.replace(".weight", ".norm.weight")])
        assert model.weight_bytes == ternary
        for short in ("norm", "layers.1.attn.g_norm", "layers.0.attn_norm", "layers.0.mlp_norm"):
            np.testing.assert_array_equal(model.vector(short), tensors[f"model.{short}.weight"])
        assert not model.vector("norm").flags.writeable


def test_the_model_says_what_it_is(packed: Path) -> None:
    data = packed.read_bytes()
    with open_model(packed) as model:
        assert model.name == "tiny"
        assert model.path == packed
        assert model.sha256 == hashlib.sha256(data[64:]).hexdigest()
        assert model.file_size == len(data)
        assert model.embedding_dtype == "int8"
        assert model.source == "safetensors F32"
        assert model.has_tokenizer
        assert model.chat_template.to_dict() == CHAT
    with open_model(packed, name="other", verify=False) as model:
        assert model.name == "other"


def test_the_tokenizer_and_its_stop_tokens(packed: Path, tmp_path: Path) -> None:
    with open_model(packed) as model:
        assert model.tokenizer is model.tokenizer
        assert model.tokenizer.encode_control("<|bot|>") == 2
        # <|end|>, <|user|> and the end of sequence; "plain text" is no token.
        assert model.stop_ids == (0, 1, 2)
    with open_model(packed_model(tmp_path)) as model:
        assert not model.has_tokenizer
        assert model.stop_ids == (2,)
        assert model.chat_template == PLAIN
        with pytest.raises(UnsupportedOperation, match=r"no tokenizer"):
            _ = model.tokenizer


@pytest.mark.parametrize(("embedding", "error"), [("int8", 2e-3), ("fp16", 2e-4), ("fp32", 0)])
def test_embedding_rows(embedding: str, error: float, tmp_path: Path) -> None:
    weights = random_tensors()["model.embeddings.weight"]
    with open_model(packed_model(tmp_path, embedding=embedding)) as model:
        rows = model.embed([3, 0, 129, 3])
        assert rows.dtype == np.float32
        assert rows.shape == (4, 40)
        assert np.abs(rows - weights[[3, 0, 129, 3]]).max() <= error
        assert model.embed([]).shape == (0, 40)
        wrong: list[Any] = [[130], [-1], [0.5], ["a"], [[1]], [1 << 70]]
        for ids in wrong:
            with pytest.raises(UsageError):
                model.embed(ids)


def test_names_that_do_not_exist_and_a_closed_model(packed: Path) -> None:
    model = open_model(packed)
    matrix = model.matrix("lm_head")
    for name in ("nothing", "norm", "embeddings"):
        with pytest.raises(NotFound):
            model.matrix(name)
    for name in ("nothing", "lm_head", "embeddings"):
        with pytest.raises(NotFound):
            model.vector(name)
    model.close()
    model.close()
    with pytest.raises(UsageError, match="is closed"):
        model.matrix("lm_head")
    assert matrix.planes.sum() > 0


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_model(tmp_path / "gone.edge")
    with pytest.raises(UsageError, match="is no file"):
        open_model(tmp_path)
    with pytest.raises(EdgeError):
        open_model("a\0b")
    with pytest.raises(AccessError):
        open_model(tmp_path / ("x" * 5000))


def test_the_reader_in_the_documentation_reads_the_same(packed: Path) -> None:
    text = (Path(__file__).parent.parent / "docs" / "model-file.md").read_text("utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    with open_model(packed) as model:
        for name in ("layers.1.mlp.down_proj", "lm_head"):
            matrix = model.matrix(name)
            trits = names["read_matrix"](packed, name)
            np.testing.assert_array_equal(trits, unpack2(matrix.planes, matrix.shape))


def test_the_matrices_of_a_layer_lie_without_a_gap(packed: Path) -> None:
    """A device may map them as one piece."""
    names = [f"attn.{letter}_proj" for letter in "ifgo"] + ["mlp.gate_proj", "mlp.down_proj"]
    with open_model(packed) as model:
        planes = [model.matrix(f"layers.1.{name}").planes for name in names]
    for one, following in pairwise(planes):
        assert one.ctypes.data + one.nbytes == following.ctypes.data


def test_the_writer_refuses_a_tensor_that_is_not_the_next(tmp_path: Path) -> None:
    def write(tensors: Callable[[ModelWriter], None]) -> None:
        with ModelWriter(tmp_path / "a", TINY, name="a") as writer:
            tensors(writer)

    with pytest.raises(UsageError, match="expected 'embeddings'"):
        write(lambda writer: writer.vector("norm", np.ones(40)))
    with pytest.raises(UsageError, match="expected 'embeddings'"):
        write(lambda writer: None)
    with pytest.raises(UsageError, match="expected 5200"):
        write(lambda writer: writer.embeddings([np.zeros((7, 40), np.float32)]))
    with pytest.raises(UsageError, match="expected a positive number"):
        write(lambda writer: writer.matrix("lm_head", [], float("nan")))
    with pytest.raises(ModelRejected, match="name"):
        ModelWriter(tmp_path / "a", TINY, name="x" * 300)


@pytest.mark.parametrize(
    ("rows", "dtype", "match"),
    [
        ((5, 35), "int8", "multiple of 4"),
        ((40,), "int16", "int8 matrix"),
        ((40, 40), "int8", "2560"),
    ],
)
def test_the_writer_refuses_slabs_of_another_shape(
    rows: tuple[int, ...], dtype: str, match: str, tmp_path: Path
) -> None:
    slabs: list[Any] = [np.zeros((count, 40), dtype) for count in rows]
    name = "layers.0.attn.i_proj"
    writer = ModelWriter(tmp_path / "a", TINY, name="a")
    writer.embeddings([np.zeros((130, 40), np.float32)])
    for entry in layout(TINY, "int8")[2:]:
        if entry.name == name:
            break
        writer.vector(entry.name, np.zeros(entry.shape))
    with pytest.raises(UsageError, match=match):
        writer.matrix(name, slabs, 1.0)
    with pytest.raises(KeyboardInterrupt), writer:
        raise KeyboardInterrupt
