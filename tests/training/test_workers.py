"""A run of two processes, as torchrun starts it: same weights, one set of files."""
# What follows the checks for torch can only be imported if they pass.
# ruff: noqa: E402

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("tokenizers", reason="the vocabulary is trained with tokenizers")

from edge_sdk.errors import UsageError
from edge_sdk.training.workers import Workers, local_device
from tests.training.shards import write_corpus


def test_two_processes_train_one_model(tmp_path: Path) -> None:
    data, out = write_corpus(tmp_path / "corpus"), tmp_path / "out"
    train = ["--recipe", "tern-nano", "--data", str(data), "--out", str(out), "--device", "cpu"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "-m", "edge_sdk", "train", *train),
            *("--minutes", "0.03", "--json"),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    result = json.loads(line)
    assert result["workers"] == 2 and result["tokens"] == result["steps"] * 512
    assert (out / "tern-nano.edge").stat().st_size == result["packed_bytes"]
    assert not result["interrupted"] and "relative" in result["parity"]


def test_one_process_agrees_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    module = torch.nn.Linear(2, 2)
    with Workers(torch.device("cpu")) as workers:
        workers.wait()
        assert workers.leads and workers.agree(1.5, True) == (1.5, True)
        assert workers.share(module) is module


def test_each_process_takes_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert local_device("auto") == "cuda:1" and local_device("cpu") == "cpu"
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(UsageError, match="not a number"):
        Workers(torch.device("cpu"))
