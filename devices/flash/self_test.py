"""Runs a small model on a board and on the integer model, and compares every score.

It knows what has to be equal; it does not know ports or programmers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from edge_sdk.boards import SelfTest
from edge_sdk.config import ModelConfig
from edge_sdk.device import Progress
from edge_sdk.devices.board.device import BoardDevice
from edge_sdk.devices.board.integer_model import IntegerModel
from edge_sdk.errors import OutOfMemory, VerifyFailed
from edge_sdk.model_file import Model, open_model
from edge_sdk.random_model import write_random_model

CONFIGS = (
    ModelConfig(vocab_size=256, hidden_size=64, num_layers=2, intermediate_size=128),
    ModelConfig(vocab_size=64, hidden_size=32, num_layers=1, intermediate_size=32),
)
"""The first that fits is taken: 43 KB, or 6 KB where the memory is inside the chip."""
TOKENS = 32
PROMPT = (1, 17, 42, 63)


def run_self_test(device: BoardDevice, progress: Progress | None = None) -> SelfTest:
    """Feed a prompt, then TOKENS greedy tokens, on both; half of them from a saved state.

    Replaces the model that the board holds. Raises VerifyFailed at the first difference.
    """
    for config in CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "self-test.edge"
            write_random_model(path, config, "self-test", seed=7)
            with open_model(path) as model:
                try:
                    return _compare(device, model, progress)
                except OutOfMemory as error:
                    too_small = error
    raise too_small


def _compare(device: BoardDevice, model: Model, progress: Progress | None) -> SelfTest:
    report = progress or (lambda what, done, total: None)
    session = device.load(model, progress=progress)
    try:
        wanted = IntegerModel(device.hello.geometry, device.compiled(model, None).data)
        ids = list(PROMPT)
        for index in range(TOKENS):
            report("self-test", index, TOKENS)
            if index == TOKENS // 2:
                # From here on the board continues from a state that went over the line.
                session.restore(session.snapshot())
            found = session.feed(ids)
            scores = wanted.feed(ids, len(found.ids))
            assert scores is not None
            order = np.argsort(scores.rows)
            same = np.array_equal(found.ids, scores.rows[order])
            if not (same and np.array_equal(found.logits, scores.logits[order])):
                raise _differs(device, index)
            ids = [int(scores.rows[0])]
        report("self-test", TOKENS, TOKENS)
        return SelfTest(TOKENS, session.cycles)
    finally:
        session.close()


def _differs(device: BoardDevice, index: int) -> VerifyFailed:
    return VerifyFailed(
        f"the board {device.info.uri} computes something else than the integer model, from token "
        f"{index + 1} of the self-test on.",
        hint="switch it off and on and flash it again; if it persists, its memory or clock is bad.",
    )
