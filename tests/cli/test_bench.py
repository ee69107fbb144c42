"""`edge-sdk bench`: every figure is there and makes sense; how large it is, no test says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edge_sdk.cli.bench import SHAPES as OFFERED
from edge_sdk.cli.bench import parse_threads
from edge_sdk.errors import UsageError
from edge_sdk.model_file import open_model
from edge_sdk.random_model import SHAPES, random_model
from edge_sdk.ternary import unpack2
from tests.cli.conftest import Run

QUICK = ("--tokens", "2", "--prompt", "3", "--repeats", "2")


def test_json_has_every_figure(run_command: Run) -> None:
    done = run_command("bench", "--device", "cpu", "--threads", "1,2", "--json", *QUICK)
    assert (done.returncode, done.stderr) == (0, b"")
    told = json.loads(done.stdout)
    assert told["device"]["uri"] == "cpu"
    assert told["device"]["kernels"].startswith("fused C, ")
    assert told["file_bytes"] > told["weight_bytes"] > 0
    assert told["peak_memory_bytes"] > told["weight_bytes"]
    assert told["start_to_first_token_seconds"] > 0
    assert [result["threads"] for result in told["results"]] == [1, 2]
    for result in told["results"]:
        for name in ("decode_tokens_per_second", "prefill_tokens_per_second"):
            assert 0 < result[name]["least"] <= result[name]["median"] <= result[name]["largest"]
        assert result["share_of_floor"] > 0


def test_a_device_without_a_bandwidth_probe(run_command: Run) -> None:
    """The scripted device: nothing but the Session protocol."""
    done = run_command("bench", "--no-start", *QUICK)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0].endswith("on script: a script")
    row = lines[next(i for i, line in enumerate(lines) if line.startswith("THREADS")) + 1]
    assert row.startswith("all ")
    assert row.endswith("–")


@pytest.mark.parametrize(
    "words",
    [
        ("--tokens", "0"),
        ("--repeats", "-1"),
        ("--threads", "0"),
        ("--threads", "1;2"),
        ("--shape", "7b"),
        ("--shape", "tern", "--model", "x"),
    ],
)
def test_wrong_options_are_one_sentence(run_command: Run, words: tuple[str, ...]) -> None:
    done = run_command("bench", *words)
    assert (done.returncode, done.stdout) == (UsageError.exit_code, b"")
    assert b"Traceback" not in done.stderr


def test_threads_are_numbers_with_commas() -> None:
    assert parse_threads(None) == [None]
    assert parse_threads("1,2,16") == [1, 2, 16]


@pytest.mark.parametrize("bits", ["2", "1.6"])
def test_a_random_model_is_a_sound_file(bits: str) -> None:
    assert set(OFFERED) == set(SHAPES)
    path = random_model("tern", bits)
    with open_model(path, verify=True) as model:
        assert model.config == SHAPES["tern"]
        matrix = model.matrix("layers.3.mlp.down_proj")
        # Unpacking refuses a code that no weight has.
        trits = unpack2(matrix.planes, matrix.shape)
        assert {-1, 0, 1} == set(np.unique(trits).tolist())
    assert random_model("tern", bits) == path
