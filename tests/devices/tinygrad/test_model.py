"""The forward pass piece by piece against NumPy: integers exactly, floats closely."""

from __future__ import annotations

import numpy as np
import pytest

import edge_sdk
from edge_sdk.devices.tinygrad import engine
from edge_sdk.ternary import pack2


def run_matmul(q: np.ndarray, trits: np.ndarray) -> np.ndarray:
    from tinygrad import Tensor

    from edge_sdk.devices.tinygrad.model import ternary_matmul

    planes = Tensor(pack2(trits), device="CPU")
    result: np.ndarray = ternary_matmul(Tensor(q, device="CPU"), planes, len(trits)).numpy()
    return result


@pytest.mark.parametrize(
    ("tokens", "rows", "width"),
    [(1, 128, 128), (1, 7, 300), (3, 4, 256), (2, 1, 1), (1, 5, 6912), (4, 513, 64)],
)
def test_int32_accumulators_equal_numpy(tokens: int, rows: int, width: int) -> None:
    rng = np.random.default_rng(rows * width)
    trits = rng.integers(-1, 2, (rows, width)).astype(np.int8)
    q = rng.integers(-127, 128, (tokens, width)).astype(np.int8)
    expected = q.astype(np.int64) @ trits.T.astype(np.int64)
    assert np.array_equal(engine.run(run_matmul, q, trits), expected)


def test_int32_accumulators_at_the_extremes() -> None:
    """Saturated activations against one sign: the largest sum that the widest release can have."""
    width = 6912
    trits = np.array([[1] * width, [-1] * width, [0] * width], np.int8)
    q = np.full((1, width), 127, np.int8)
    accumulators = engine.run(run_matmul, q, trits)
    assert accumulators.tolist() == [[127 * width, -127 * width, 0]]


def run_quantise(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from tinygrad import Tensor

    from edge_sdk.devices.tinygrad.model import quantise

    q, worth = quantise(Tensor(y, device="CPU"))
    return q.numpy(), worth.numpy()


def test_quantise_rounds_halves_to_even_and_never_gives_minus_128() -> None:
    y = np.array([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -127.0, 126.5]], np.float32)
    q, worth = engine.run(run_quantise, y)
    assert q.tolist() == [[127, 0, 2, 2, 0, -2, -127, 126]]
    assert worth.tolist() == [[1.0]]


def test_quantise_of_zeros_is_zero() -> None:
    q, worth = engine.run(run_quantise, np.zeros((1, 64), np.float32))
    assert not q.any()
    assert np.isfinite(worth).all()


def run_recurrence(f: np.ndarray, c: np.ndarray, h: np.ndarray) -> np.ndarray:
    from tinygrad import Tensor

    from edge_sdk.devices.tinygrad.model import recurrence

    result: np.ndarray = recurrence(
        Tensor(f, device="CPU"), Tensor(c, device="CPU"), Tensor(h, device="CPU")
    ).numpy()
    return result


@pytest.mark.parametrize("tokens", [1, 2, 5, 8])
def test_recurrence_equals_a_loop(tokens: int) -> None:
    rng = np.random.default_rng(tokens)
    f = rng.random((tokens, 16)).astype(np.float32)
    c = rng.normal(size=(tokens, 16)).astype(np.float32)
    h = rng.normal(size=16).astype(np.float32)
    expected = []
    state = h.astype(np.float64)
    for t in range(tokens):
        state = f[t] * state + c[t]
        expected.append(state)
    assert np.abs(engine.run(run_recurrence, f, c, h) - np.array(expected)).max() < 1e-5


def test_weights_stay_in_the_mapped_file(
    golden_model: edge_sdk.Model, graph_session: edge_sdk.Session
) -> None:
    """On the CPU the planes are not copied: a layer's tensor points into the file's mapping."""
    from edge_sdk.devices.tinygrad.session import TinygradSession

    session = graph_session
    assert isinstance(session, TinygradSession)

    def address() -> int:
        planes = session._open().layers[1][0]
        return int(planes.uop.buffer._buf.va_addr)

    expected = golden_model.matrix("layers.1.attn.i_proj").planes.ctypes.data
    assert engine.run(address) == expected
