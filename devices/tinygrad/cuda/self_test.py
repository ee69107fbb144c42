"""Checks the CUDA kernels at every start, and for every model that is loaded, against NumPy.

It knows which results must be equal and which may differ by how much; it does not know what
happens when a check fails.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.devices.tinygrad.cuda import driver
from edge_sdk.devices.tinygrad.cuda.args import Args
from edge_sdk.devices.tinygrad.cuda.program import load_program
from edge_sdk.devices.tinygrad.cuda.resident import CHUNK, Resident
from edge_sdk.devices.tinygrad.cuda.runs import Decode, Rows
from edge_sdk.devices.tinygrad.self_test import SEED, TOLERANCE, TinyModel, tiny_inputs
from edge_sdk.errors import VerifyFailed
from edge_sdk.ternary import unpack2

HINT = "update the NVIDIA driver; graph ops give right results meanwhile."
SMALL_TOKENS, BIG_TOKENS = 37, 131
"""Rows of the products that are checked: neither fills its last tile."""


def check_card(device: str, index: int) -> None:
    """Raise VerifyFailed unless a one-layer model gives on this card what NumPy gives."""
    tiny = TinyModel()
    x, start = tiny_inputs()
    program = load_program(device, index, tiny.config)
    table = np.zeros((tiny.config.vocab_size, tiny.config.hidden_size), np.float32)
    table[: len(x)] = x
    resident = Resident(device, program, tiny, table, None)
    try:
        expected, expected_state, _ = tiny.forward(x, start)
        results = {"decode": _tiny_decode}
        if program.tensor_cores:
            results["prompt"] = _tiny_prompt
        for name, run in results.items():
            logits, state = run(resident, start, len(x))
            error = max(np.abs(logits - expected).max(), np.abs(state - expected_state).max())
            if not error <= TOLERANCE:  # not: NaN fails, too
                raise VerifyFailed(
                    f"the CUDA {name} kernels differ from the reference by {error:.2g} in a "
                    f"one-layer model; expected at most {TOLERANCE:g}.",
                    hint=HINT,
                )
        check_sums(resident)
    finally:
        resident.free()


def check_sums(resident: Resident) -> None:
    """Raise VerifyFailed unless the kernels' integer sums of layer 0 are exact for random int8."""
    rng = np.random.default_rng(SEED)
    width = resident.model.config.hidden_size
    q = rng.integers(-127, 128, (BIG_TOKENS, width)).astype(np.int8)
    q[0] = 127
    names = [f"layers.0.attn.{name}_proj" for name in "ifgo"]
    matrices = [resident.model.matrix(name) for name in names]
    trits = [unpack2(matrix.planes, matrix.shape).astype(np.float32) for matrix in matrices]
    # float32 holds every sum: below 2^24 for any width up to 131,000.
    exact = (q[1].astype(np.float32) @ trits[3].T).astype(np.int32)
    if not all(np.array_equal(found, exact) for found in decode_sums(resident, q[1])):
        raise VerifyFailed("the CUDA decode kernel gives a wrong integer sum.", hint=HINT)
    if not resident.program.tensor_cores:
        return
    for tokens in (SMALL_TOKENS, BIG_TOKENS):
        products = product_sums(resident, q[:tokens], small=tokens == SMALL_TOKENS)
        for number, (matrix, weights) in enumerate(zip(matrices[:3], trits, strict=False)):
            sums = q[:tokens].astype(np.float32) @ weights.T
            if not np.array_equal(products[number], sums * np.float32(matrix.scale)):
                raise VerifyFailed(
                    f"the CUDA product of {tokens} rows gives a wrong integer sum.", hint=HINT
                )


def decode_sums(resident: Resident, q: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """The decode kernel's exact sums of int8 [d] and layer 0's output projection: int32 [2, d].

    First as the head gets its weights, then as the layers do.
    """
    args, program, layout = resident.args, resident.program, resident.layout
    row = np.zeros(layout.row_d, np.int8)
    row[: q.size] = q
    resident.stream.wait()
    driver.upload(args.q, row.ctypes.data, row.nbytes)
    program.kernel["sums"].bind(
        resident.stream, (program.grid, 1, 1), program.threads, args, shared=program.decode_shared
    )()
    found = np.empty((2, layout.row_d), np.int32)
    resident.stream.wait()
    driver.download(found.ctypes.data, args.sum, found.nbytes)
    # edge_sums takes no more than the digits' sums: the offset is taken off here.
    result: npt.NDArray[np.int32] = found[:, : q.size] - q.sum(dtype=np.int32)
    return result


def product_sums(
    resident: Resident, q: npt.NDArray[np.int8], *, small: bool
) -> npt.NDArray[np.float32]:
    """Layer 0's i, f and g of int8 rows [T, d] that are worth 1 a step: float32 [3, T, d]."""
    args, layout, tokens = resident.args, resident.layout, len(q)
    rows = np.zeros((3, tokens, layout.row_d), np.int8)
    rows[:, :, : q.shape[1]] = q
    worth = np.ones((3, tokens), np.float32)
    sums = np.broadcast_to(q.sum(axis=1, dtype=np.int32), (3, tokens)).copy()
    resident.stream.wait()
    for address, values in ((args.q, rows), (args.worth, worth), (args.sum, sums)):
        driver.upload(address, values.ctypes.data, values.nbytes)
    Rows(resident, args).mixer(tokens, small)
    out = np.empty((3, tokens, layout.row_d), np.float32)
    resident.stream.wait()
    driver.download(out.ctypes.data, args.y, out.nbytes)
    return out[:, :, : q.shape[1]]


def _tiny_decode(
    resident: Resident, start: npt.NDArray[np.float32], tokens: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    with _Places(resident, start, tokens) as places:
        decode = Decode(resident, places.args)
        for token in range(tokens):
            places.ids[0] = token
            places.args.logits = places.logits_at(token)
            decode.run(1, 1)
            resident.stream.wait()
        return places.logits.copy(), places.state()


def _tiny_prompt(
    resident: Resident, start: npt.NDArray[np.float32], tokens: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    with _Places(resident, start, tokens) as places:
        places.ids[:tokens] = np.arange(tokens)
        rows = Rows(resident, places.args)
        rows.prompt(tokens)
        rows.head(0, tokens)
        resident.stream.wait()
        return places.logits.copy(), places.state()


class _Places:
    """A state on the card, and the host's ids, picks and logits, for one run."""

    def __init__(self, resident: Resident, start: npt.NDArray[np.float32], tokens: int) -> None:
        config = resident.model.config
        self._start, self._row = start, 4 * config.vocab_size
        self._hosts = [driver.HostMemory(size) for size in (4 * CHUNK, 4 * CHUNK)]
        self._hosts.append(driver.HostMemory(tokens * self._row))
        self.ids = self._hosts[0].array(np.int32)
        self.logits = self._hosts[2].array(np.float32).reshape(tokens, -1)
        self.args = Args.from_buffer_copy(resident.args)
        self.args.ids, self.args.picked = self._hosts[0].address, self._hosts[1].address
        self.args.logits = self._hosts[2].address
        self.args.state = resident.cleared(resident.layout.state)
        resident.stream.wait()
        driver.upload(self.args.state, start.ctypes.data, start.nbytes)

    def logits_at(self, token: int) -> int:
        return self._hosts[2].address + token * self._row

    def state(self) -> npt.NDArray[np.float32]:
        found = np.empty_like(self._start)
        driver.download(found.ctypes.data, self.args.state, found.nbytes)
        return found

    def __enter__(self) -> _Places:
        return self

    def __exit__(self, *_: object) -> None:
        del self.ids, self.logits
        for host in self._hosts:
            host.free()
