"""What the integers cost the shipped model, on a text written for this test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edge_sdk
from edge_sdk.devices.board import quality
from edge_sdk.devices.board.calibration import calibrate, choose, ranges
from edge_sdk.devices.board.formats import Formats
from edge_sdk.devices.board.integer_model import IntegerModel
from edge_sdk.devices.board.program import compile_model
from edge_sdk.devices.board.quality import LARGE, compare, windows_of
from edge_sdk.errors import UsageError
from edge_sdk.model_file import Model, open_model

GOLDEN = Path(__file__).parents[2] / "data" / "golden_small"
TEXT = (
    "<|user|>Good morning! Can you help me to plan my day?<|bot|>Of course. What would you like "
    "to do first?<|end|><|user|>I have to buy bread and write a letter to my sister.<|bot|>Then "
    "start with the letter, and go to the baker when it is done.<|end|><|eod|>"
    "The old lighthouse stood at the end of a narrow road. Every evening its keeper climbed the "
    "stairs, lit the lamp and looked out over the sea. One night a small boat came in with no "
    "sail and nobody at the helm. He took his coat, ran down to the shore and pulled it onto the "
    "sand. Inside lay a blue box, a wet map and a letter that had his own name on it.<|eod|>"
    "<|user|>What is the capital of Norway?<|bot|>The capital of Norway is Oslo.<|end|>"
    "<|user|>And what is 8 plus 6?<|bot|>8 plus 6 is 14.<|end|><|eod|>"
)


@pytest.fixture(scope="module")
def tern() -> Iterator[Model]:
    with edge_sdk.load_model("tern") as model:
        yield model


def integers(model: Model, formats: Formats) -> IntegerModel:
    return IntegerModel(LARGE, compile_model(model, LARGE, formats=formats).data)


def test_the_shipped_model_keeps_its_perplexity_and_its_choices(tern: Model) -> None:
    """Loose bounds, for 200 tokens; docs/integer-contract.md has the figures for thousands."""
    windows = windows_of(tern, TEXT, 1000)
    with edge_sdk.open_device("cpu") as device:
        found = compare(device.load(tern), integers(tern, Formats()), windows)

    assert found.tokens == sum(map(len, windows)) - 3
    assert 0.95 < found.ratio < 1.05
    assert found.agreement > 0.88
    assert found.saturations == 0


def test_formats_without_headroom_are_found_out(tern: Model) -> None:
    """Those of the design's first model, for which the shipped one is too loud."""
    windows = windows_of(tern, TEXT, 40)
    core = integers(tern, Formats(residual=9, gates=11, state=12, glu=11))
    with edge_sdk.open_device("cpu") as device:
        found = compare(device.load(tern), core, windows)

    assert found.saturations > 100
    assert found.ratio > 1.1


def test_calibration_keeps_its_headroom(tern: Model) -> None:
    windows = windows_of(tern, TEXT, 24)
    largest = ranges(tern, LARGE, windows)
    chosen = choose(largest)
    for name, value in largest.items():
        assert value * 1.5 < 2.0 ** (15 - getattr(chosen, name))
    assert largest["residual"] * 1.5 >= 2.0 ** (14 - chosen.residual)
    core = integers(tern, chosen)
    for window in windows:
        core.reset()
        core.feed(window)
    assert core.saturations == 0


def test_the_reference_models_logits(tmp_path: Path) -> None:
    """Random weights: the official code in fp16 is 0.117 rms away from itself in float32."""
    path = edge_sdk.convert_checkpoint(GOLDEN, tmp_path / "golden.edge", embedding="fp32")
    with np.load(GOLDEN / "golden.npz") as golden, open_model(path) as model:
        ids = golden["input_ids"].tolist()
        core = integers(model, calibrate(model, LARGE, ids))
        for row, exact in zip(ids, golden["logits"], strict=True):
            found = quality.integer_logits(core, row, model.config.vocab_size)
            assert np.sqrt(np.mean((found - exact) ** 2)) < 0.13
            assert np.mean(found.argmax(axis=1) == exact.argmax(axis=1)) > 0.8
    assert core.saturations == 0


def test_a_text_is_cut_into_documents_and_windows(tern: Model) -> None:
    windows = windows_of(tern, TEXT, 1000)
    end = tern.tokenizer.encode_control("<|eod|>")
    assert end == tern.config.eos_token_id
    assert end is not None

    assert [window.count(end) for window in windows] == [1, 1, 1]
    assert windows[0][0] == tern.tokenizer.encode_control("<|user|>")
    assert sum(map(len, windows_of(tern, TEXT, 50))) == 50
    long = windows_of(tern, "word " * 1000, 600)
    assert [len(window) for window in long] == [256, 256, 88]
    with pytest.raises(UsageError, match="too short"):
        windows_of(tern, "", 10)


def test_the_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    assert quality.main(["tern", str(text), "--tokens", "40", "--two-bit"]) == 0
    out = capsys.readouterr().out

    assert out.startswith("Tern") or out.startswith("tern")
    assert "2 bits a weight" in out
    assert "saturations      0" in out


def test_the_command_explains_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")

    assert quality.main(["tern", str(binary)]) == 4
    assert quality.main(["nobody", str(binary)]) == 3
    assert "could not be read as text" in capsys.readouterr().err
