"""The bench of training steps, on a tiny shape."""
# What follows the checks for torch can only be imported if they pass.
# ruff: noqa: E402

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from edge_sdk.cli import main
from edge_sdk.training import bench


def test_each_variant_is_measured_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Compilation takes long; the GPU's bench has it.
    eager = tuple(variant for variant in bench.VARIANTS if not variant.compiled)
    monkeypatch.setattr(bench.bench, "__defaults__", ("auto", (8, 16), 1024, eager))
    words = ["--bench-shape", "nano", "--bench-rows", "1,2", "--bench-length", "16"]
    out = ["--out", str(tmp_path), "--device", "cpu", "--json"]
    assert main(["train", "--bench", *words, *out]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads((tmp_path / "bench.json").read_text("utf-8"))
    measured = [(one["variant"], one["rows"]) for one in shown["results"]]
    assert measured == [(v.name, rows) for v in eager for rows in (1, 2)]
    assert all(one["tokens_per_second"] > 0 and one["speed"] > 0 for one in shown["results"])
    assert shown["results"][0]["loss"] == pytest.approx(shown["results"][2]["loss"], rel=1e-3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU could do it")
def test_a_large_shape_without_a_gpu_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--bench"]) == 3
    assert "needs a CUDA GPU" in capsys.readouterr().err
    assert main(["train", "--bench", "--bench-shape", "vast"]) == 2
    assert main(["train", "--bench", "--bench-rows", "many"]) == 2
    assert main(["train", "--data", "x"]) == 2
