"""The same vectors on a GPU, where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import edge_sdk

pytestmark = pytest.mark.gpu


def test_auto_picks_the_gpu_and_golden_vectors_pass(
    golden_model: edge_sdk.Model, golden: dict[str, Any]
) -> None:
    with edge_sdk.open_device("auto") as device:
        assert device.info.kind == "gpu"
        session = device.load(golden_model)
        logits = session.logits(golden["input_ids"][0].tolist())
        assert np.abs(logits - golden["logits"][0]).max() < 1e-3
        assert np.abs(session.snapshot().hidden - golden["states"][:, 0, 0]).max() < 1e-3
        session.reset()
        tokens = edge_sdk.generate(
            session,
            golden["input_ids"][0].tolist(),
            sampling=edge_sdk.Sampler(temperature=0.0),
            max_tokens=16,
            stop_ids=(),
        )
        assert list(tokens) == golden["greedy"][0].tolist()
