"""Whole jobs on a nano model: loss, files, interruption and refusals."""
# What follows the checks for torch can only be imported if they pass.
# ruff: noqa: E402

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("tokenizers", reason="the vocabulary is trained with tokenizers")

from edge_sdk.cli import train as verb
from edge_sdk.errors import DeviceNotFound, MissingExtra, UsageError
from edge_sdk.training import require_extra
from edge_sdk.training.job import choose_device, train_model
from edge_sdk.training.recipe import Recipe, Shape, get_recipe
from tests.training.shards import write_corpus

NANO = replace(
    get_recipe("tern-nano"),
    shape=Shape(hidden=32, layers=2, vocabulary=300),
    context=32,
    batch_tokens=256,
    warmup_steps=3,
    generated=0.001,
)


def _ticking(steps: int, minutes: float = 1.0) -> Callable[[], float]:
    """A clock by which a run of `minutes` lasts about `steps` steps, however slow the machine."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += minutes * 60.0 / (steps + 0.5)
        return now

    return clock


def _events(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short answers, and one thread: more would wait for each other over such small tensors."""
    monkeypatch.setattr("edge_sdk.training.samples.LONGEST", 4)
    monkeypatch.setattr("edge_sdk.training.parity.EACH", 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _train(tmp_path: Path, recipe: Recipe = NANO, steps: int = 20, **more: Any) -> dict[str, Any]:
    return train_model(
        recipe,
        data=write_corpus(tmp_path / "corpus"),
        out=tmp_path / "out",
        minutes=1.0,
        device="cpu",
        say=more.get("say", lambda sentence: None),
        clock=_ticking(steps),
    )


def _check_checkpoint(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    packed = (folder / "model.safetensors").read_bytes()
    size = int.from_bytes(packed[:8], "little")
    header = json.loads(packed[8 : 8 + size])
    header.pop("__metadata__")
    assert len(header) == 15 * config["num_hidden_layers"] + 5
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(packed) - 8 - size
    assert np.isfinite(np.frombuffer(packed[8 + size :], "<f4")).all()
    assert not list(folder.glob("*.partial"))


def test_twenty_steps_lower_the_loss_and_export_everything(tmp_path: Path) -> None:
    result = _train(tmp_path)
    assert result["steps"] == 20 and not result["interrupted"]
    first = np.log2(300) / 3  # A uniform guess, at about three bytes a token.
    assert result["bits_per_byte"]["stories"]["all"] < first
    out = tmp_path / "out"
    _check_checkpoint(out / "checkpoint")
    assert (out / "tern-nano.edge").stat().st_size == result["packed_bytes"]
    start = _events(out)[0]
    assert start["event"] == "start" and len(start["shards"][0]["sha256"]) == 64
    samples = json.loads((out / "samples.json").read_text("utf-8"))
    assert samples["scan_against_steps"]["largest_logit_difference"] < 0.5
    json.dumps(result, allow_nan=False)


def test_packed_model_is_as_good_as_the_latent_one_and_curves_are_drawn(tmp_path: Path) -> None:
    result = _train(tmp_path)
    assert abs(result["parity"]["relative"]) < 0.005 and result["parity"]["documents"] > 20
    assert result == json.loads((tmp_path / "out" / "result.json").read_text("utf-8"))
    assert (tmp_path / "out" / "curves.svg").read_text("utf-8").startswith("<svg")
    template = json.loads((tmp_path / "out" / "checkpoint" / "chat.json").read_text("utf-8"))
    assert template["status"] is True


def test_fused_training_does_the_same(tmp_path: Path) -> None:
    plain = _train(tmp_path / "plain")
    fused = _train(tmp_path / "fused", replace(NANO, fused=True))
    assert fused["loss"] == pytest.approx(plain["loss"], rel=1e-3)


def test_loss_falls_while_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.training.trainer.LOG_STEPS", 1)
    _train(tmp_path)
    losses = [event["loss"] for event in _events(tmp_path / "out") if event["event"] == "step"]
    stage1 = losses[: int(20 * (1 - NANO.stage2_share))]
    assert stage1[-1] < stage1[0] - 0.3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_a_loadable_checkpoint(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(sentence: str) -> None:
        if sentence.startswith("Validation"):
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    result = _train(tmp_path, say=interrupt)
    assert result["interrupted"] and 0 < result["steps"] < 20
    _check_checkpoint(tmp_path / "out" / "checkpoint")
    assert (tmp_path / "out" / "tern-nano.edge").exists()
    assert signal.getsignal(number) is before


def test_large_recipe_without_a_gpu_is_one_sentence() -> None:
    with pytest.raises(DeviceNotFound, match="needs a CUDA GPU"):
        choose_device("cpu", get_recipe("tern"))


def test_unknown_device_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="expected auto"):
        choose_device("abacus", NANO)


def test_missing_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.training.NEEDED", ("torch_that_is_not_there",))
    with pytest.raises(MissingExtra) as caught:
        require_extra()
    assert caught.value.hint == 'pip install "edge-sdk[train]"'


def test_verb_passes_its_options_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(recipe: Recipe, **options: Any) -> dict[str, Any]:
        return {"seed": recipe.seed, "minutes": options["minutes"], "interrupted": True}

    monkeypatch.setattr("edge_sdk.training.job.train_model", fake)
    parser = argparse.ArgumentParser()
    verb.add_parser(parser.add_subparsers())
    folders = ["--data", str(tmp_path), "--out", str(tmp_path)]
    args = parser.parse_args(["train", *folders, "--seed", "3", "--minutes", "2", "--json"])
    assert args.run(args) == 130
    assert json.loads(capsys.readouterr().out) == {"seed": 3, "minutes": 2.0, "interrupted": True}
