"""Conversion: the golden checkpoint exactly, in little memory, and all or nothing."""

from __future__ import annotations

import errno
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from edge_sdk.checkpoint import tensor_shapes
from edge_sdk.cli import main
from edge_sdk.config import ModelConfig
from edge_sdk.convert import bounds, convert_checkpoint
from edge_sdk.errors import AccessError, EdgeError, ModelRejected, NotFound, UsageError
from edge_sdk.model_file import Model, TernaryMatrix, open_model
from edge_sdk.model_layout import layout
from edge_sdk.model_writer import quantise_rows
from edge_sdk.ternary import unpack2, unpack5
from tests.helpers import GOLDEN, random_tensors, tiny_tokenizer_json, write_checkpoint


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with open_model(convert_checkpoint(GOLDEN, tmp_path_factory.mktemp("golden"))) as model:
        yield model


def test_the_golden_matrices_are_those_of_the_paper(golden: Model) -> None:
    """Section 3 of the paper as released, computed here in the plainest way."""
    tensors = safetensors.numpy.load_file(GOLDEN / "model.safetensors")
    checked = 0
    for entry in layout(golden.config, "int8"):
        if not entry.ternary:
            continue
        prefix = "" if entry.name == "lm_head" else "model."
        weights = tensors[f"{prefix}{entry.name}.weight"]
        step = np.float32(max(np.abs(weights.astype(np.float64)).mean(), 1e-5))
        matrix = golden.matrix(entry.name)
        assert matrix.scale == step
        expected = np.clip(np.rint(weights / step), -1, 1)
        np.testing.assert_array_equal(unpack2(matrix.planes, matrix.shape), expected)
        checked += 1
    assert checked == 6 * golden.config.num_layers + 1


def test_the_golden_dense_tensors(golden: Model) -> None:
    tensors = safetensors.numpy.load_file(GOLDEN / "model.safetensors")
    for name, values in tensors.items():
        if name.endswith("norm.weight"):
            short = name.removeprefix("model.").removesuffix(".weight")
            np.testing.assert_array_equal(golden.vector(short), values)
    lower = tensors["model.lower_bounds"].astype(np.float64)
    shares = np.exp(lower) / np.exp(lower).sum(axis=0)
    expected = np.stack([shares[1 : layer + 1].sum(axis=0) for layer in range(len(lower))])
    np.testing.assert_allclose(golden.vector("bounds"), expected, atol=1e-7)
    assert not golden.vector("bounds")[0].any()
    weights = tensors["model.embeddings.weight"]
    rows = golden.embed(range(len(weights)))
    assert np.abs(rows - weights).max() <= np.abs(weights).max() / 254 * 1.0001
    assert golden.name == "golden_small"


def test_bounds_survive_large_values() -> None:
    result = bounds(np.array([[800.0, -800.0], [799.0, 800.0]], np.float32))
    assert np.isfinite(result).all()
    assert result[1, 1] == 1


def test_int8_rows_round_half_to_even_and_zero_rows_stay_zero() -> None:
    rows = np.array([[127, 0.5, 1.5, -127], [0, 0, 0, 0], [1e-44, 0, 0, -1e-44]], np.float32)
    values, scale = quantise_rows(rows)
    assert values[0].tolist() == [127, 0, 2, -127]
    assert scale[0] == 1
    assert not values[1].any()
    assert np.isfinite(values * scale[:, None]).all()


@pytest.mark.parametrize(("dtype", "shards"), [("F32", 3), ("F16", 1), ("BF16", 2)])
def test_every_published_form_is_read(dtype: str, shards: int, tmp_path: Path) -> None:
    tensors = random_tensors()
    source = write_checkpoint(tmp_path / "c", tensors=tensors, dtype=dtype, shards=shards)
    with open_model(convert_checkpoint(source, tmp_path, embedding="fp32")) as model:
        kept = {"F32": 1, "F16": 1 + 2**-11, "BF16": 1 + 2**-7}[dtype]
        weights = tensors["model.embeddings.weight"]
        stored = model.embed(range(len(weights)))
        assert (np.abs(stored - weights) <= np.abs(weights) * (kept - 1) + 1e-7).all()
        assert model.source == f"safetensors {dtype}"


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path: Path) -> None:
    one = convert_checkpoint(GOLDEN, tmp_path / "one.edge")
    two = convert_checkpoint(GOLDEN, tmp_path / "two.edge")
    assert one.read_bytes() == two.read_bytes()
    shards = write_checkpoint(tmp_path / "s", shards=2)
    single = write_checkpoint(tmp_path / "c")
    for source, name in ((shards, "s.edge"), (single, "c.edge")):
        convert_checkpoint(source, tmp_path / name, name="same")
    assert (tmp_path / "s.edge").read_bytes() == (tmp_path / "c.edge").read_bytes()


def test_five_trits_a_byte_hold_the_same_weights_in_less(tmp_path: Path) -> None:
    two = convert_checkpoint(GOLDEN, tmp_path / "two.edge")
    five = convert_checkpoint(GOLDEN, tmp_path / "five.edge", bits="1.6")
    assert five.stat().st_size < two.stat().st_size
    with open_model(two) as expected, open_model(five) as found:
        assert (expected.ternary_encoding, found.ternary_encoding) == ("ternary2", "ternary1.6")
        assert found.weight_bytes < 0.85 * expected.weight_bytes
        assert found.planes_bytes == expected.planes_bytes == expected.weight_bytes
        names = [entry.name for entry in layout(found.config, "int8") if entry.ternary]
        for name in names:
            matrix, other = found.matrix(name), expected.matrix(name)
            assert matrix.encoding == "ternary1.6"
            assert matrix.scale == other.scale
            assert np.array_equal(unpack5(matrix.packed, matrix.shape), _trits(other))
            # What devices that know two bits alone read.
            assert np.array_equal(matrix.planes, other.planes)
        assert np.array_equal(found.embed(range(9)), expected.embed(range(9)))
    with pytest.raises(UsageError, match=r"1\.6"):
        convert_checkpoint(GOLDEN, tmp_path / "x.edge", bits="1.58")


def _trits(matrix: TernaryMatrix) -> np.ndarray:
    return unpack2(matrix.planes, matrix.shape)


def test_memory_does_not_grow_with_the_matrix(tmp_path: Path) -> None:
    """A head and an embedding of 65 MB each, as float32 zeros in a sparse file."""
    config = ModelConfig(vocab_size=64_000, hidden_size=256, num_layers=1, intermediate_size=256)
    folder = write_checkpoint(tmp_path / "c", config, tensors={})
    header, end = {}, 0
    for name, shape in tensor_shapes(config).items():
        start, end = end, end + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    raw = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.truncate(8 + len(raw) + end)
    tracemalloc.start()
    path = convert_checkpoint(folder, tmp_path / "x.edge")
    assert tracemalloc.get_traced_memory()[1] < 32e6
    tracemalloc.stop()
    assert path.stat().st_size < 22e6


def test_a_folder_as_target_and_the_name(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "My model (v2)")
    (tmp_path / "out").mkdir()
    path = convert_checkpoint(source, tmp_path / "out")
    assert path == tmp_path / "out" / "My-model-v2.edge"
    strange = write_checkpoint(tmp_path / f"..a...b{'c' * 200}")
    assert convert_checkpoint(strange, tmp_path / "out").name.startswith("a-bccc")
    path = convert_checkpoint(source, tmp_path / "out", name="owner/name")
    assert path == tmp_path / "out" / "name.edge"
    with open_model(path) as model:
        assert model.name == "owner/name"
    path = convert_checkpoint(source, tmp_path / "new" / "folder" / "x.edge")
    assert path.exists()


@pytest.mark.parametrize("name", ["", "../x", "/x", "a/b/c", "a b", "x\n", ".x", "a/..", "\x1b"])
def test_names_that_are_no_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no name for a model"):
        convert_checkpoint(GOLDEN, tmp_path, name=name)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failing(tmp_path: Path, error: Any, **options: Any) -> Any:
    with pytest.raises(error) as raised:
        convert_checkpoint(options.pop("src"), tmp_path / "out.edge", **options)
    return raised.value


def test_a_failed_conversion_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    tensors = random_tensors()
    tensors["lm_head.weight"][5, 5] = np.nan
    source = write_checkpoint(tmp_path / "c", tensors=tensors)
    (tmp_path / "out.edge").write_bytes(b"old")
    error = failing(tmp_path, ModelRejected, src=source)
    assert "'lm_head.weight' holds NaN" in error.message
    assert names(tmp_path) == ["c", "out.edge"]
    assert (tmp_path / "out.edge").read_bytes() == b"old"

    def interrupt(what: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_checkpoint(GOLDEN, tmp_path / "new.edge", progress=interrupt)
    assert names(tmp_path) == ["c", "out.edge"]


def test_what_cannot_be_converted(tmp_path: Path) -> None:
    failing(tmp_path, NotFound, src=tmp_path / "gone")
    failing(tmp_path, UsageError, src=GOLDEN, embedding="int4")
    failing(tmp_path, UsageError, src=GOLDEN / "config.json")
    tensors = random_tensors()
    tensors["model.embeddings.weight"][0, 0] = 1e5
    source = write_checkpoint(tmp_path / "big", tensors=tensors)
    error = failing(tmp_path, ModelRejected, src=source, embedding="fp16")
    assert "float16 cannot hold" in error.message


@pytest.mark.parametrize("path", ["x" * 9999, "a\0b"])
def test_paths_that_no_system_has(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in (tmp_path / path, tmp_path / "file" / "x.edge"):
        with pytest.raises(AccessError):
            convert_checkpoint(GOLDEN, target)
    with pytest.raises(AccessError):
        convert_checkpoint(tmp_path / path, tmp_path)


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    error = failing(tmp_path, AccessError, src=GOLDEN)
    assert "No space left" in error.message
    assert names(tmp_path) == []


def test_the_tokenizer_is_checked(tmp_path: Path) -> None:
    many = tuple(f"<|{number}|>" for number in range(120))
    source = write_checkpoint(tmp_path / "many", tokenizer=tiny_tokenizer_json(many))
    assert "the tokenizer has 146 tokens" in failing(tmp_path, ModelRejected, src=source).message
    source = write_checkpoint(tmp_path / "bad", tokenizer=b"{}")
    failing(tmp_path, ModelRejected, src=source)
    source = write_checkpoint(tmp_path / "chat", chat={"user": 1})
    assert "chat template" in failing(tmp_path, ModelRejected, src=source).message


def test_progress_runs_from_start_to_end(tmp_path: Path) -> None:
    seen = []
    convert_checkpoint(GOLDEN, tmp_path, progress=lambda *step: seen.append(step))
    assert {what for what, _, _ in seen} == {"convert"}
    done = [step[1] for step in seen]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == seen[-1][2] == seen[0][2]


def test_the_command_prints_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(GOLDEN), str(tmp_path / "x.edge"), "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert err == ""
    assert result["bytes"] == (tmp_path / "x.edge").stat().st_size
    assert result["source_bytes"] == 922752 * 4
    assert result["ratio"] == round(result["source_bytes"] / result["bytes"], 2)
    assert result["parameters"] == 922752
    assert result["peak_memory_bytes"] > 1e6
    assert main(["convert", str(GOLDEN), str(tmp_path), "--embedding", "fp16"]) == 0
    out, _ = capsys.readouterr()
    assert "times smaller" in out
    assert "fp16 embedding" in out
    assert "no tokenizer.json was found" in out


@pytest.mark.parametrize(
    ("words", "code"),
    [(["gone", "x"], 3), ([str(GOLDEN / "config.json"), "x"], 2), ([str(GOLDEN)], 2)],
)
def test_the_command_ends_with_the_exit_code_of_the_error(
    words: Any, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err


def test_refusals_are_edge_errors(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    (tmp_path / "config.json").write_bytes((GOLDEN / "config.json").read_bytes())
    with pytest.raises(EdgeError, match="pickle"):
        convert_checkpoint(tmp_path, tmp_path / "x.edge")
