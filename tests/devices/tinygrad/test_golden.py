"""The CPU device against the official implementation's vectors, at their stated tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_sdk
from edge_sdk.model_file import open_model
from tests.devices.tinygrad.conftest import GOLDEN


def test_logits_and_states_of_row_0(session: edge_sdk.Session, golden: dict[str, Any]) -> None:
    logits = session.logits(golden["input_ids"][0].tolist())
    assert np.abs(logits - golden["logits"][0]).max() < 1e-3
    state = session.snapshot()
    assert state.position == 24
    assert np.abs(state.hidden - golden["states"][:, 0, 0]).max() < 1e-3


def test_row_1_within_the_tolerance_of_its_fragile_roundings(
    session: edge_sdk.Session, golden: dict[str, Any]
) -> None:
    error = np.abs(session.logits(golden["input_ids"][1].tolist()) - golden["logits"][1])
    assert error.max() <= 0.3
    assert error.mean() <= 0.015


def test_live_positions_of_the_left_padded_row(
    session: edge_sdk.Session, golden: dict[str, Any]
) -> None:
    live = golden["padded_attention_mask"][1].astype(bool)
    assert live.sum() == 17
    logits = session.logits(golden["padded_input_ids"][1][live].tolist())
    error = np.abs(logits - golden["padded_logits"][1][live])
    assert error.max() <= 0.3
    assert error.mean() <= 0.015


def test_a_coarser_embedding_costs_what_the_docs_say(
    cpu: edge_sdk.Device, golden: dict[str, Any], golden_model: edge_sdk.Model, tmp_path: Path
) -> None:
    """docs/model-file.md: rms of the change in the logits against the fp32 embedding."""

    def logits(model: edge_sdk.Model) -> np.ndarray:
        with closing(cpu.load(model)) as session:
            return np.concatenate([session.logits(row) for row in rows(session)])

    def rows(session: edge_sdk.Session) -> Iterator[list[int]]:
        for row in golden["input_ids"]:
            session.reset()
            yield row.tolist()

    exact = logits(golden_model)
    for embedding, expected in (("fp16", 0.065), ("int8", 0.094)):
        path = edge_sdk.convert_checkpoint(GOLDEN, tmp_path / "x.edge", embedding=embedding)
        with open_model(path) as model:
            change = logits(model) - exact
        # Another processor's exponential or a compiler may tip a rounding that lies on the edge.
        assert np.sqrt(np.square(change).mean()) == pytest.approx(expected, rel=0.2)


def test_greedy_continuation(session: edge_sdk.Session, golden: dict[str, Any]) -> None:
    for row in range(2):
        session.reset()
        tokens = edge_sdk.generate(
            session,
            golden["input_ids"][row].tolist(),
            sampling=edge_sdk.Sampling(temperature=0.0),
            max_tokens=16,
            stop_ids=(),
        )
        assert list(tokens) == golden["greedy"][row].tolist()
