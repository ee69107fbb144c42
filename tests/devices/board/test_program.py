"""What the compiler lays out: deterministic, within its budget, refused with the arithmetic."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edge_sdk
from edge_sdk.config import ModelConfig
from edge_sdk.devices.board.assembler import listing
from edge_sdk.devices.board.budget import budget
from edge_sdk.devices.board.formats import Formats
from edge_sdk.devices.board.integer_model import IntegerModel, Scores
from edge_sdk.devices.board.program import compile_model
from edge_sdk.errors import ModelRejected, OutOfMemory
from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import Boot, Op
from edge_sdk.model_file import Model, open_model
from tests.devices.board.small import ODD, SMALL, chip, small
from tests.helpers import packed_model, random_tensors


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    with open_model(packed_model(tmp_path_factory.mktemp("small"), SMALL)) as opened:
        yield opened


def scores(geometry: Geometry, image: bytes) -> Scores:
    found = IntegerModel(geometry, image).feed([3, 1, 4, 1, 5], 9)
    assert found is not None
    return found


def test_the_same_model_gives_the_same_bytes(model: Model) -> None:
    first, second = (compile_model(model, chip()) for _ in range(2))

    assert first == second
    assert first.sha256 == hashlib.sha256(first.data).digest()
    assert first.model == model.sha256
    assert compile_model(model, chip(), formats=Formats(7)).sha256 != first.sha256


def test_five_trits_a_byte_in_the_file_change_nothing(model: Model, tmp_path: Path) -> None:
    with open_model(packed_model(tmp_path, SMALL, bits="1.6")) as other:
        assert other.ternary_encoding == "ternary1.6"
        found = scores(chip(), compile_model(other, chip()).data)
    expected = scores(chip(), compile_model(model, chip()).data)
    assert found.sums.tolist() == expected.sums.tolist()
    assert found.rows.tolist() == expected.rows.tolist()


def test_the_programs_have_the_instructions_that_the_budget_counts(model: Model) -> None:
    image = compile_model(model, chip()).data
    boot = Boot.decode(image[:16])
    body, head = list(listing(image, boot.body)), list(listing(image, boot.head))

    assert (boot.vocabulary, boot.state_halfwords) == (128, 128)
    assert len(body) == 2 * 24 + 2
    assert Counter(one.op for one in body)[Op.TMV] == 2 * 7
    assert [one.op for one in head] == [Op.NRM, Op.QNT, Op.TMV, Op.HALT]
    assert body[0].op == Op.EMB
    assert body[-1].op == Op.HALT


@pytest.mark.parametrize("config", [SMALL, ODD], ids=["small", "odd"])
def test_every_width_and_both_codes_compute_the_same(config: ModelConfig, tmp_path: Path) -> None:
    made = small(tmp_path, config)
    with made.model as opened:
        expected = scores(made.geometry, made.image.data)
        for bits in (16, 64, 256):
            geometry = chip(bits)
            for five in (True, False):
                image = compile_model(opened, geometry, formats=made.image.formats, five_trits=five)
                found = scores(geometry, image.data)
                assert found.rows.tolist() == expected.rows.tolist()
                assert found.sums.tolist() == expected.sums.tolist()
                assert (found.mantissa, found.shift) == (expected.mantissa, expected.shift)
                need = sum(budget(config, geometry, five).memory.values())
                unused_bounds = 2 * config.hidden_size + bits // 8
                assert need - unused_bounds <= len(image.data) <= need


@pytest.mark.parametrize("embedding", ["int8", "fp16", "fp32"])
def test_the_logits_are_the_float_models(embedding: str, tmp_path: Path) -> None:
    """Random weights, where one int8 rounding moves a logit by a hundredth and more."""
    path = packed_model(tmp_path, ODD, embedding=embedding)
    ids = [7, 90, 3, 44, 130, 0]
    with open_model(path) as opened, edge_sdk.open_device("cpu") as device:
        image = compile_model(opened, chip(), formats=Formats(13, 10, 12, 11))
        model = IntegerModel(chip(), image.data)
        exact = device.load(opened).logits(ids)
        for token, wanted in zip(ids, exact, strict=True):
            found = model.feed([token], ODD.vocab_size)
            assert found is not None
            logits = np.zeros_like(wanted)
            logits[found.rows] = found.logits
            assert np.sqrt(np.mean((logits - wanted) ** 2)) < 0.1 * wanted.std()
    assert model.saturations == 0


def test_zero_embeddings_and_tiny_ones_compile(tmp_path: Path) -> None:
    tensors = random_tensors(ODD)
    tensors["model.embeddings.weight"][0] = 0
    tensors["model.embeddings.weight"][1] *= 1e-20
    tensors["model.embeddings.weight"][2] *= 100
    with open_model(packed_model(tmp_path, ODD, tensors=tensors)) as opened:
        model = IntegerModel(chip(), compile_model(opened, chip()).data)
        (embed, *_) = model.memory.program(model.boot.body)
        assert embed[1] is not None
        for token, row in enumerate(opened.embed(range(4))):
            model.execute(embed[1], token=token)
            found = model.read_ram(Ram.X, 0, ODD.hidden_size) / 2**6
            assert np.abs(found - row).max() <= 2**-7 + 1e-4 * np.abs(row).max()
        assert found.any()


def test_an_embedding_beyond_16_bits_is_refused(tmp_path: Path) -> None:
    tensors = random_tensors(ODD)
    tensors["model.embeddings.weight"][5] *= 1e8
    with (
        open_model(packed_model(tmp_path, ODD, tensors=tensors)) as opened,
        pytest.raises(ModelRejected, match="embedding"),
    ):
        compile_model(opened, chip())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory_words": 8000}, r"memory holds 16,000 bytes and [\d,]+ are needed \(program"),
        ({"x_depth": 32}, "RAM X holds 32 values and 64 are needed"),
        ({"s_depth": 64}, "RAM S holds 64 values and 128 are needed"),
        ({"a_depth": 64}, "RAM A holds 64 values and 128 are needed"),
        ({"b_depth": 64}, "RAM B holds 64 values and 96 are needed"),
        ({"q_depth": 8}, "a matrix row may have 80 columns and has 96"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_the_arithmetic(
    model: Model, change: dict[str, int], message: str
) -> None:
    with pytest.raises(OutOfMemory, match=message) as refusal:
        compile_model(model, replace(chip(), **change))

    assert refusal.value.hint
    assert str(refusal.value).count(";") == 0, "nothing else is short"


def test_memory_that_a_board_did_not_find_does_not_count(model: Model) -> None:
    compile_model(model, chip(), memory_bytes=40_000)
    with pytest.raises(OutOfMemory, match="memory holds 20,000 bytes"):
        compile_model(model, chip(), memory_bytes=20_000)


def test_progress_is_told_matrix_by_matrix(model: Model) -> None:
    told: list[tuple[str, int, int]] = []
    compile_model(model, chip(), progress=lambda *step: told.append(step))

    assert told == [("compile", done, 13) for done in range(1, 14)]
