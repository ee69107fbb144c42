"""The quantisation-aware model against the official vectors and a NumPy forward pass."""
# What follows the checks for torch can only be imported if they pass.
# ruff: noqa: E402

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from edge_sdk.training.model import LanguageModel
from edge_sdk.training.recipe import Shape

GOLDEN = Path(__file__).parents[1] / "data" / "golden_small"


def _golden() -> tuple[LanguageModel, dict[str, np.ndarray]]:
    packed = (GOLDEN / "model.safetensors").read_bytes()
    size = int.from_bytes(packed[:8], "little")
    weights = {}
    for name, entry in json.loads(packed[8 : 8 + size]).items():
        if name != "__metadata__":
            start, end = (8 + size + offset for offset in entry["data_offsets"])
            values = np.frombuffer(packed[start:end], "<f4").reshape(entry["shape"])
            weights[name] = values.copy()
    model = LanguageModel(Shape(hidden=128, layers=3, vocabulary=512))
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return model, weights


def _bit_linear(x: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    y = _norm(x, weights[f"{name}.norm.weight"])
    scale = 127.0 / np.maximum(np.abs(y).max(-1, keepdims=True), 1e-5)
    levels = np.clip(np.round(y * scale), -128, 127)
    matrix = weights[f"{name}.weight"]
    step = max(np.abs(matrix).mean(), 1e-5)
    trits = np.clip(np.round(matrix / step), -1, 1)
    return np.asarray((levels @ trits.T) * step / scale)


def _norm(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * weight)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _logits(ids: np.ndarray, weights: dict[str, np.ndarray], layers: int) -> np.ndarray:
    share = np.exp(weights["model.lower_bounds"])
    share /= share.sum(0)
    bounds = share.cumsum(0) - share[0]
    x = weights["model.embeddings.weight"][ids]
    for layer in range(layers):
        name = f"model.layers.{layer}"
        n = _norm(x, weights[f"{name}.attn_norm.weight"])
        i, f, g = (_bit_linear(n, weights, f"{name}.attn.{gate}_proj") for gate in "ifg")
        f = bounds[layer] + (1 - bounds[layer]) * _sigmoid(f)
        state, states = np.zeros(x.shape[1]), []
        for t in range(len(ids)):
            state = f[t] * state + i[t] * _sigmoid(i[t]) * (1 - f[t])
            states.append(state)
        h = np.array(states)
        gated = _norm(g, weights[f"{name}.attn.g_norm.weight"]) * h * _sigmoid(h)
        x = x + _bit_linear(gated, weights, f"{name}.attn.o_proj")
        m = _bit_linear(
            _norm(x, weights[f"{name}.mlp_norm.weight"]), weights, f"{name}.mlp.gate_proj"
        )
        a, b = np.split(m, 2, axis=-1)
        x = x + _bit_linear(a * _sigmoid(a) * b, weights, f"{name}.mlp.down_proj")
    return _bit_linear(_norm(x, weights["model.norm.weight"]), weights, "lm_head")


def _ids(golden: Any) -> np.ndarray:
    # Id 0 ends a document here and means nothing in the official vectors.
    ids = np.asarray(golden["input_ids"])
    assert not (ids[:, :-1] == 0).any()
    return ids


def test_names_and_shapes_are_those_of_the_published_layout() -> None:
    model, weights = _golden()
    found = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert found == {name: value.shape for name, value in weights.items()}
    assert sum(value.size for value in weights.values()) == model.shape.parameters


def test_forward_equals_the_official_logits_and_a_numpy_forward_pass() -> None:
    model, weights = _golden()
    golden = np.load(GOLDEN / "golden.npz")
    ids = _ids(golden)[:1]
    with torch.no_grad():
        found = model(torch.from_numpy(ids).long()).numpy()[0]
    np.testing.assert_allclose(found, golden["logits"][0], atol=1e-3)
    np.testing.assert_allclose(found, _logits(ids[0], weights, 3), atol=1e-3)


def test_single_steps_equal_the_official_logits_and_states() -> None:
    model, _ = _golden()
    golden = np.load(GOLDEN / "golden.npz")
    states = model.zero_state(1)
    with torch.no_grad():
        for t, token in enumerate(_ids(golden)[0]):
            logits, states = model.step(torch.tensor([int(token)]), states)
            np.testing.assert_allclose(logits[0], golden["logits"][0, t], atol=1e-3)
    found = torch.stack(states)[:, 0].numpy()
    np.testing.assert_allclose(found, golden["states"][:, 0].reshape(found.shape), atol=1e-4)


def test_whole_numbers_in_bfloat16_are_exact() -> None:
    levels = torch.arange(-128, 128, dtype=torch.float32)
    assert torch.equal(levels.to(torch.bfloat16).float(), levels)


def test_gradient_reaches_every_weight() -> None:
    torch.manual_seed(0)
    model = LanguageModel(Shape(hidden=32, layers=2, vocabulary=40))
    ids = torch.randint(4, 40, (2, 9))
    loss, _ = model.loss(ids, ids, torch.ones_like(ids))
    loss.backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name
