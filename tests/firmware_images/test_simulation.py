"""Compiled RTL against the integer model: every sum, every bit of state, over whole tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edge_sdk
from edge_sdk.config import ModelConfig
from edge_sdk.devices.board.cycles import token_cycles
from edge_sdk.devices.board.integer_model import IntegerModel
from edge_sdk.devices.board.program import compile_model
from edge_sdk.errors import UsageError
from edge_sdk.firmware_images import simulation
from edge_sdk.firmware_images.contract.configurations import GEOMETRIES, SMALL, ULX3S
from edge_sdk.firmware_images.contract.wire import Counter, Space
from edge_sdk.firmware_images.simulation import Simulation
from tests.devices.board import small
from tests.firmware_images.rtl import Board, needs_rtl

CLOCK_HZ = 75_000_000
TERN_TOKENS = 32


def check(board: Board, model: IntegerModel, position: int, ids: list[int], k: int) -> int:
    """Feed both; everything that comes back is the same. Returns the best row."""
    fed = board.feed(position, ids, k)
    scores = model.feed(ids, k)
    assert scores is not None
    assert fed.position == position + len(ids)
    assert fed.best == list(zip(scores.sums.tolist(), scores.rows.tolist(), strict=True))
    assert (fed.mantissa, fed.shift) == (scores.mantissa, scores.shift)
    return fed.best[0][1]


@needs_rtl
@pytest.mark.parametrize("five_trits", [True, False], ids=["1.6 bits", "2 bits"])
@pytest.mark.parametrize("config", [small.SMALL, small.ODD], ids=["small", "odd"])
def test_a_model_on_the_chip_runs_bit_for_bit(
    tmp_path: Path, config: ModelConfig, five_trits: bool
) -> None:
    made = small.small(tmp_path, config, SMALL, five_trits=five_trits)
    model = IntegerModel(SMALL, made.image.data)
    state = config.num_layers * config.hidden_size
    with made.model, Simulation("small") as simulated:
        board = Board(simulated)
        board.load(made.image, upload=True)
        ids = np.random.default_rng(1).integers(0, config.vocab_size, 64).tolist()
        for position, token in enumerate(ids):
            check(board, model, position, [token], 1 + position)
        assert board.ram(Space.RAM_S, state) == model.snapshot().tobytes()
        assert board.counters()[Counter.SATURATIONS] == model.saturations


@needs_rtl
@pytest.mark.timeout(900)
def test_tern_answers_in_rtl_what_the_integer_model_answers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """32 greedy tokens after a prompt, with SDRAM whose timing is checked in every cycle."""
    with edge_sdk.load_model("tern") as tern, Simulation("ulx3s") as simulated:
        image = compile_model(tern, ULX3S)
        model = IntegerModel(ULX3S, image.data)
        board = Board(simulated)
        board.load(image, upload=False)
        prompt = [2, *tern.tokenizer.encode("What is the capital of France?"), 3]
        answer = [check(board, model, 0, prompt, 8)]
        before = board.counters()
        for position in range(len(prompt), len(prompt) + TERN_TOKENS - 1):
            answer.append(check(board, model, position, [answer[-1]], 8))
        used = {name: value - before[name] for name, value in board.counters().items()}
        text = tern.tokenizer.decode(answer)

    tokens = TERN_TOKENS - 1
    words, cycles = used[Counter.STREAM_WORDS] / tokens, used[Counter.BUSY] / tokens
    stream = used[Counter.STREAM_WORDS] / (
        used[Counter.STREAM_WORDS] + used[Counter.STREAM_STALLS] + used[Counter.ARRAY_STALLS]
    )
    with capsys.disabled():
        print(
            f"\ntern in compiled RTL, cycle-accurate simulation: {text!r}\n"
            f"{cycles:,.0f} cycles a token; {words:,.0f} words of weights, {words / cycles:.4f} of "
            f"the cycles; {stream:.4f} of the SDRAM's peak while streaming; "
            f"{CLOCK_HZ / cycles:.2f} tokens/s at {CLOCK_HZ / 1e6:.0f} MHz"
        )
    assert "Paris" in text
    # Counted in cycles, so the same on every machine.
    assert stream >= 0.95
    assert words / cycles >= 0.90
    assert CLOCK_HZ / cycles >= 20
    # What a virtual board that does not run the gateware says of its speed.
    assert token_cycles(image.data, ULX3S).cycles == pytest.approx(cycles, rel=0.005)
    assert used[Counter.REFRESHES] > 0
    assert used[Counter.SATURATIONS] == 0


def test_an_unknown_configuration_is_named() -> None:
    with pytest.raises(UsageError, match="no simulation is called 'large'"):
        simulation.library("large")
    assert set(GEOMETRIES) == {"ulx3s", "small"}


@needs_rtl
def test_an_image_larger_than_the_memory_is_refused() -> None:
    with Simulation("ulx3s") as simulated, pytest.raises(UsageError, match="cannot be put"):
        simulated.load(bytes(2 * ULX3S.memory_words + 1))
