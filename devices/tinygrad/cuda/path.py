"""Decides how a model runs on an NVIDIA card: with the CUDA kernels, or graph ops and a warning.

It knows when the kernels may be used and what is said when they may not; it does not know what
they compute.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from edge_sdk.device import Progress
from edge_sdk.devices.tinygrad import kernels
from edge_sdk.devices.tinygrad.cuda.program import TENSOR_ARCH, arch_number, load_program
from edge_sdk.devices.tinygrad.cuda.resident import Resident
from edge_sdk.devices.tinygrad.cuda.self_test import check_card, check_sums
from edge_sdk.devices.tinygrad.fallback import KernelChoice, warn
from edge_sdk.devices.tinygrad.fast_path import graph_wanted
from edge_sdk.devices.tinygrad.provider import GRAPH_OPS
from edge_sdk.devices.tinygrad.residents import Residents
from edge_sdk.model_file import Model

KERNELS = "CUDA"


def choose(device: str, index: int) -> KernelChoice:
    """The path on tinygrad's `device`, CUDA's card `index`; tests the kernels on first use.

    Runs on the engine thread. Raises UsageError where EDGE_KERNELS is off.
    """
    return KernelChoice(GRAPH_OPS) if graph_wanted() else _tested(device, index)


@cache
def _tested(device: str, index: int) -> KernelChoice:
    try:
        check_card(device, index)
        arch = kernels.cuda_arch(device)
    # Whatever a compiler, a driver or a wrong sum raises, models still run: on graph ops.
    except Exception as error:
        return KernelChoice(GRAPH_OPS, warning=warn(KERNELS, error))
    unit = "tensor cores" if arch_number(arch) >= TENSOR_ARCH else "dp4a"
    return KernelChoice(f"fused CUDA, {arch}, {unit}", usable=True)


class CudaResidents(Residents[Resident]):
    """The models on one card."""

    kernels = KERNELS

    def __init__(self, device: str, index: int) -> None:
        super().__init__()
        self._device, self._index = device, index

    def usable(self) -> bool:
        """See Residents."""
        return choose(self._device, self._index).usable

    def upload(self, model: Model, progress: Progress | None) -> Resident:
        """See Residents."""
        program = load_program(self._device, self._index, model.config)
        scales = model.vector("embeddings.scale") if model.embedding_dtype == "int8" else None
        table = np.asarray(model.embedding_table)
        return Resident(self._device, program, model, table, scales, progress)

    def check(self, resident: Resident) -> None:
        """See Residents."""
        check_sums(resident)
