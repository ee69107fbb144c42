"""The CPU device against the official implementation's vectors, at their stated tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np

import edge_sdk


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
