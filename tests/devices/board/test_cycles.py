"""The cycle model counts the words that programs stream, never more than one a cycle."""

from __future__ import annotations

from pathlib import Path

from edge_sdk.devices.board.cycles import STREAM_SHARE, cycles_of, token_cycles
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.isa import Flag, Instruction, Op
from tests.devices.board.small import SMALL, chip, small


def test_a_token_streams_every_weight_once(tmp_path: Path) -> None:
    made = small(tmp_path)
    made.model.close()
    found = token_cycles(made.image.data, made.geometry)
    d, i = SMALL.hidden_size, SMALL.intermediate_size
    words = 2 * ((4 * d + 2 * i) * 7 + d * 10) + SMALL.vocab_size * 7

    assert found.weight_words == words
    assert found.cycles * STREAM_SHARE > words
    assert 0 < found.efficiency < STREAM_SHARE
    assert found.tokens_per_second(2 * found.cycles) == 2


def test_costs_grow_with_the_work_and_not_with_the_width_of_memory() -> None:
    matrix = Instruction(Op.TMV, Flag.FIVE_TRITS, n=60, extra=64)
    wide = chip(64)

    assert cycles_of(matrix, chip(16)) > cycles_of(matrix, wide) > 64 * 2
    for op in Op:
        one = Instruction(op, n=100, extra=1)
        more = Instruction(op, n=200, extra=1)
        assert 0 < cycles_of(one, wide) <= cycles_of(more, wide)


def test_the_shipped_models_shape_streams_what_its_weights_take() -> None:
    """29.4 M weights, ten a word, rows of 52 and 154 words."""
    geometry = Geometry(16, 1 << 24, 1024, 8192, 4096, 4096, 512)
    square = Instruction(Op.TMV, Flag.FIVE_TRITS, n=512, extra=512)

    assert abs(cycles_of(square, geometry) - 512 * 52 / STREAM_SHARE) < 200
