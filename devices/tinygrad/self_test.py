"""Checks the loaded C kernels at every start, in milliseconds, against NumPy.

It knows the mathematics once more, in plain NumPy with float64, and a tiny one-layer model; it does
not know what happens when a check fails. NumPy and not the graph-op model is what is compared
with: that one takes seconds to compile, by the same compiler that made the kernels.
"""

from __future__ import annotations

import ctypes
import hashlib
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from edge_sdk.config import ModelConfig
from edge_sdk.devices.tinygrad.fast_model import FastModel, zeros
from edge_sdk.devices.tinygrad.native import Kernels
from edge_sdk.devices.tinygrad.structures import Matrix, ModelTable, Op, Work
from edge_sdk.devices.tinygrad.workers import Workers
from edge_sdk.errors import VerifyFailed
from edge_sdk.model_file import TernaryMatrix
from edge_sdk.ternary import FIVE, TWO, Trits, pack2, pack5

SEED = 350
"""Chosen so that no value lies within 1e-3 of a half-step: a float error cannot flip a rounding."""
TOLERANCE = 1e-4
TOKENS = 5
MAX_THREADS = 4
"""More would cost a machine of many cores more time to start than to compute."""
SHAPES = ((7, 300), (4, 1100), (1, 1))
"""(rows, width): a padded group, more than four blocks, and the least there is."""
HINT = "use another compiler (EDGE_CC), and report it with the output of `edge-sdk doctor`."

Wide = npt.NDArray[np.float64]


def check_kernels(kernels: Kernels, threads: int) -> None:
    """Raise VerifyFailed unless the kernels compute what NumPy computes.

    The int32 accumulators must be equal; logits and states of a one-layer model may differ by
    TOLERANCE.
    """
    numbers = _Numbers(SEED)
    for rows, width in SHAPES:
        trits = numbers.whole(-1, 1, (rows, width))
        q = numbers.whole(-127, 127, (TOKENS, width))
        q[0], trits[0] = 127, 1  # the largest sum
        exact = q.astype(np.int64) @ trits.T
        # One token and several take different ways.
        for encoding, tokens in product((TWO, FIVE), (1, TOKENS)):
            found = accumulate(kernels, q[:tokens], trits, encoding)
            if not np.array_equal(found, exact[:tokens]):
                raise VerifyFailed(
                    f"the {kernels.tier} kernels give a wrong integer sum for a {encoding} matrix "
                    f"of {rows} x {width}.",
                    hint=HINT,
                )
    tiny = TinyModel()
    x, start = tiny_inputs()
    logits, state = run_tiny(kernels, tiny, x, start, threads)
    expected, expected_state, _ = tiny.forward(x, start)
    error = max(np.abs(logits - expected).max(), np.abs(state - expected_state).max())
    if not error <= TOLERANCE:  # not: NaN fails, too
        raise VerifyFailed(
            f"the {kernels.tier} kernels differ from the reference by {error:.2g} in a one-layer "
            f"model; expected at most {TOLERANCE:g}.",
            hint=HINT,
        )


def accumulate(
    kernels: Kernels, q: Trits, trits: Trits, encoding: str = TWO
) -> npt.NDArray[np.int32]:
    """The kernels' exact sums of int8 activations times trits: [T, in], [out, in] -> [T, out]."""
    packed = pack2(trits) if encoding == TWO else pack5(trits)
    rows, width = trits.shape
    padded = zeros((len(q), -(-width // 256) * 256), np.int8)
    padded[:, :width] = q
    out: npt.NDArray[np.int32] = zeros((len(q), rows), np.int32)
    matrix = Matrix(planes=packed.ctypes.data, rows=rows, width=width, five=encoding == FIVE)
    table = ModelTable(width=width, inner=width, head=matrix)
    work = Work(op=Op.MEASURE, tokens=len(q), model=ctypes.pointer(table))
    kernels.call(ctypes.byref(work))
    scratch = zeros((work.scratch_bytes,), np.uint8)
    work.op, work.scratch = Op.ACCUMULATE, scratch.ctypes.data
    work.source, work.target = padded.ctypes.data, out.ctypes.data
    kernels.call(ctypes.byref(work))
    return out


def tiny_inputs() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(residuals [T, d], state [d]) to run TinyModel with."""
    numbers, d = _Numbers(SEED + 1), TinyModel.config.hidden_size
    return numbers.normal((TOKENS, d)), numbers.normal((d,))


def run_tiny(
    kernels: Kernels,
    tiny: TinyModel,
    x: npt.NDArray[np.float32],
    start: npt.NDArray[np.float32],
    threads: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Logits [T, V] and last state [d] of inputs x [T, d], by the kernels."""
    weights = FastModel(tiny)
    workers = Workers(kernels, min(threads, MAX_THREADS))
    work = Work(op=Op.MEASURE, tokens=len(x), model=ctypes.pointer(weights.table))
    work.pool = workers.pointer
    kernels.call(ctypes.byref(work))
    width = x.shape[1]
    rows, state = zeros((len(x), work.row), np.float32), zeros((work.row,), np.float32)
    rows[:, :width], state[:width] = x, start
    scratch = zeros((work.scratch_bytes,), np.uint8)
    logits: npt.NDArray[np.float32] = zeros((len(x), tiny.config.vocab_size), np.float32)
    work.op, work.wanted = Op.ADVANCE, len(x)
    work.x, work.state = rows.ctypes.data, state.ctypes.data
    work.logits, work.scratch = logits.ctypes.data, scratch.ctypes.data
    kernels.call(ctypes.byref(work))
    workers.close()
    return logits, state[:width].copy()


@dataclass(frozen=True)
class _Linear:
    trits: Trits
    norm: npt.NDArray[np.float32]
    packed: TernaryMatrix


class TinyModel:
    """One random layer; no size is a multiple of 16, so that every padding is used."""

    config = ModelConfig(vocab_size=130, hidden_size=40, num_layers=1, intermediate_size=70)

    def __init__(self, encoding: str = TWO) -> None:
        numbers = _Numbers(SEED)
        d, i, v = self.config.hidden_size, self.config.intermediate_size, self.config.vocab_size
        shapes = {f"layers.0.attn.{name}_proj": (d, d) for name in "ifgo"}
        shapes |= {"layers.0.mlp.gate_proj": (2 * i, d), "layers.0.mlp.down_proj": (d, i)}
        self._linear = {}
        for name, shape in (shapes | {"lm_head": (v, d)}).items():
            trits = numbers.whole(-1, 1, shape)
            planes = pack2(trits) if encoding == TWO else pack5(trits)
            step = 0.05 + 0.05 * float(numbers.uniform((1,))[0])
            packed = TernaryMatrix(planes, shape, step, encoding)
            self._linear[name] = _Linear(trits, _padded(numbers, shape[1]), packed)
        vectors = ("layers.0.attn_norm", "layers.0.attn.g_norm", "layers.0.mlp_norm", "norm")
        self._vectors = {name: _padded(numbers, d) for name in vectors}
        bounds = _padded(numbers, d)
        bounds *= np.float32(0.5)
        self._vectors["bounds"] = bounds.reshape(1, d)

    def matrix(self, name: str) -> TernaryMatrix:
        """As edge_sdk.Model.matrix."""
        return self._linear[name].packed

    def vector(self, name: str) -> npt.NDArray[np.float32]:
        """As edge_sdk.Model.vector."""
        if name.endswith("_proj.norm") or name == "lm_head.norm":
            return self._linear[name.removesuffix(".norm")].norm
        return self._vectors[name]

    def forward(
        self, x: npt.NDArray[np.float32], start: npt.NDArray[np.float32]
    ) -> tuple[Wide, Wide, float]:
        """(logits [T, V], last state [d], least distance of a rounding to its half-step)."""
        eps, residual, margins = self.config.norm_eps, x.astype(np.float64), [1.0]

        def linear(y: Wide, name: str) -> Wide:
            weights = self._linear[name]
            y = _rms(y, 1e-6) * weights.norm
            worth = np.maximum(np.abs(y).max(-1, keepdims=True), 1e-5) / 127
            q = np.rint(y / worth)
            margins.append(float(np.min(0.5 - np.abs(y / worth - q))))
            out: Wide = q @ weights.trits.T.astype(np.float64) * (worth * weights.packed.scale)
            return out

        at = "layers.0"
        normed = _rms(residual, eps) * self.vector(f"{at}.attn_norm")
        i, f, g = (linear(normed, f"{at}.attn.{name}_proj") for name in "ifg")
        bound = self.vector("bounds")[0].astype(np.float64)
        forget = bound + (1 - bound) / (1 + np.exp(-f))
        update = _silu(i) * (1 - forget)
        hidden = start.astype(np.float64)
        states = np.stack([hidden := forget[t] * hidden + update[t] for t in range(len(x))])
        mixed = _rms(g, eps) * self.vector(f"{at}.attn.g_norm") * _silu(states)
        residual = residual + linear(mixed, f"{at}.attn.o_proj")
        normed = _rms(residual, eps) * self.vector(f"{at}.mlp_norm")
        a, b = np.split(linear(normed, f"{at}.mlp.gate_proj"), 2, axis=1)
        residual = residual + linear(_silu(a) * b, f"{at}.mlp.down_proj")
        logits = linear(_rms(residual, eps) * self.vector("norm"), "lm_head")
        return logits, hidden, min(margins)


class _Numbers:
    """Numbers that look random and are the same on every machine.

    Loading numpy.random for them would cost every process 2.5 MB and some 10 ms.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = 0

    def uniform(self, shape: tuple[int, ...]) -> Wide:
        """From 0 to below 1."""
        self._drawn += 1
        name = f"{self._seed}/{self._drawn}".encode()
        data = hashlib.shake_128(name).digest(4 * int(np.prod(shape)))
        return np.frombuffer(data, "<u4").reshape(shape) * 2.0**-32

    def whole(self, low: int, high: int, shape: tuple[int, ...]) -> Trits:
        """int8 from `low` to `high`, both included."""
        return np.floor(low + (high - low + 1) * self.uniform(shape)).astype(np.int8)

    def normal(self, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """Nearly normal, with mean 0 and variance 1: a sum of twelve uniform numbers."""
        drawn: Wide = self.uniform((12, *shape)).sum(axis=0) - 6
        return drawn.astype(np.float32)


def _padded(numbers: _Numbers, size: int) -> npt.NDArray[np.float32]:
    """Random weights around 1 in memory of whole vectors: the kernels read 64 bytes at a time."""
    values: npt.NDArray[np.float32] = zeros((-(-size // 16) * 16,), np.float32)[:size]
    values[:] = 1 + 0.15 * numbers.normal((size,))
    return values


def _rms(x: Wide, eps: float) -> Wide:
    normed: Wide = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + eps)
    return normed


def _silu(x: Wide) -> Wide:
    value: Wide = x / (1 + np.exp(-x))
    return value
