"""Decides how a model runs on an NVIDIA card: with the CUDA kernels, or graph ops and a warning.

It knows when the kernels may be used and what is said when they may not; it does not know what
they compute.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from edge_sdk.device import Progress
from edge_sdk.devices.tinygrad import kernels
from edge_sdk.devices.tinygrad.cuda.program import TENSOR_ARCH, arch_number, load_program
from edge_sdk.devices.tinygrad.cuda.resident import Resident
from edge_sdk.devices.tinygrad.cuda.self_test import check_card, check_sums
from edge_sdk.devices.tinygrad.fast_path import graph_wanted
from edge_sdk.devices.tinygrad.provider import GRAPH_OPS
from edge_sdk.model_file import Model


@dataclass(frozen=True)
class CudaChoice:
    """The path in use on one card."""

    label: str
    """As `doctor`, `bench` and the app show it."""
    usable: bool = False
    warning: str | None = None
    """Why the kernels cannot be used, where they should have been."""


def choose(device: str, index: int) -> CudaChoice:
    """The path on tinygrad's `device`, CUDA's card `index`; tests the kernels on first use.

    Runs on the engine thread. Raises UsageError where EDGE_KERNELS is off.
    """
    return CudaChoice(GRAPH_OPS) if graph_wanted() else _tested(device, index)


@cache
def _tested(device: str, index: int) -> CudaChoice:
    try:
        check_card(device, index)
        arch = kernels.cuda_arch(device)
    # Whatever a compiler, a driver or a wrong sum raises, models still run: on graph ops.
    except Exception as error:
        return CudaChoice(GRAPH_OPS, warning=_warn(error))
    unit = "tensor cores" if arch_number(arch) >= TENSOR_ARCH else "dp4a"
    return CudaChoice(f"fused CUDA, {arch}, {unit}", usable=True)


def _warn(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
    warning = (
        f"the CUDA kernels cannot be used ({reason}); graph ops run instead, many times slower"
    )
    logging.getLogger(__name__).warning("%s", warning, exc_info=error)
    return warning


@dataclass
class Residents:
    """The models on one card, so that sessions of the same model share its weights."""

    device: str
    index: int
    _known: dict[str, Resident] = field(default_factory=dict)

    def get(self, model: Model, progress: Progress | None = None) -> Resident | None:
        """`model` on the card, uploaded and checked if it is not there; None: use graph ops.

        Runs on the engine thread. Raises MemoryError where it does not fit.
        """
        if not choose(self.device, self.index).usable:
            return None
        for key in [key for key, held in self._known.items() if not held.users]:
            self._known.pop(key).free()
        known = self._known.get(model.sha256)
        if known is not None:
            return known
        try:
            program = load_program(self.device, self.index, model.config)
            scales = model.vector("embeddings.scale") if model.embedding_dtype == "int8" else None
            table = np.asarray(model.embedding_table)
            resident = Resident(self.device, program, model, table, scales, progress)
            try:
                check_sums(resident)
            except BaseException:
                resident.free()
                raise
        except MemoryError:
            raise
        except Exception as error:
            _warn(error)
            return None
        self._known[model.sha256] = resident
        return resident
