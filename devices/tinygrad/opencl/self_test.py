"""Checks the OpenCL kernels at every start, and for every model that is loaded, against NumPy.

It knows which results must be equal and which may differ by how much; it does not know what
happens when a check fails.
"""

from __future__ import annotations

import numpy as np

from edge_sdk.devices.tinygrad.opencl.driver import Memory
from edge_sdk.devices.tinygrad.opencl.resident import CHUNK, Resident
from edge_sdk.devices.tinygrad.self_test import SEED, TOLERANCE, TinyModel, tiny_inputs
from edge_sdk.errors import VerifyFailed
from edge_sdk.ternary import unpack2

HINT = "update the OpenCL driver; graph ops give right results meanwhile."


def check_device(device: str) -> None:
    """Raise VerifyFailed unless a one-layer model gives on `device` what NumPy gives."""
    tiny = TinyModel()
    x, start = tiny_inputs()
    expected, expected_state, _ = tiny.forward(x, start)
    resident = Resident(device, tiny)
    try:
        width = start.size
        row = np.zeros(resident.layout.row_d, np.float32)
        for tokens in (1, len(x)):
            row[:width] = start
            state = Memory(device, row)
            parts = [
                resident.advance(x[at : at + tokens], state, logits=True)
                for at in range(0, len(x), tokens)
            ]
            state.read(row)
            state.free()
            logits = np.concatenate(parts)
            differences = np.abs(logits - expected).max(), np.abs(row[:width] - expected_state)
            error = max(differences[0], differences[1].max())
            if not error <= TOLERANCE:  # not: NaN fails, too
                raise VerifyFailed(
                    f"the OpenCL kernels differ from the reference by {error:.2g} in a one-layer "
                    f"model, {tokens} tokens at a time; expected at most {TOLERANCE:g}.",
                    hint=HINT,
                )
        check_sums(resident)
    finally:
        resident.free()


def check_sums(resident: Resident) -> None:
    """Raise VerifyFailed unless layer 0's integer sums are exact for random int8 rows."""
    rng, width = np.random.default_rng(SEED), resident.config.hidden_size
    matrix = resident.model.matrix("layers.0.attn.o_proj")
    trits = unpack2(matrix.planes, matrix.shape).astype(np.float32)
    q = np.zeros((CHUNK, resident.layout.row_d), np.int8)
    q[:, :width] = rng.integers(-127, 128, (CHUNK, width))
    q[0, :width] = 127
    resident.q.write(q)
    resident.totals.write(q.sum(axis=1, dtype=np.int32))
    resident.worth.write(np.ones(CHUNK, np.float32))
    # float32 holds every sum: below 2^24 for any width up to 131,000.
    expected = (q[:, :width].astype(np.float32) @ trits.T) * np.float32(matrix.scale)
    for tokens in (1, CHUNK):
        found = np.empty((tokens, width), np.float32)
        first, step = resident.output
        resident.product(resident.layer_weights(0), resident.y, first, step, width, tokens)
        resident.y.read(found)
        if not np.array_equal(found, expected[:tokens]):
            raise VerifyFailed(
                f"the OpenCL product of {tokens} rows gives a wrong integer sum.", hint=HINT
            )
