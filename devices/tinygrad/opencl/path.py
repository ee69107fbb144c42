"""Decides how a model runs on an OpenCL device: with our kernels, or graph ops and a warning.

It knows when the kernels may be used and what is said when they may not; it does not know what
they compute. Everything here runs on the engine thread.
"""

from __future__ import annotations

from functools import cache

from edge_sdk.device import Progress
from edge_sdk.devices.tinygrad.fallback import KernelChoice, warn
from edge_sdk.devices.tinygrad.fast_path import graph_wanted
from edge_sdk.devices.tinygrad.opencl.resident import Resident
from edge_sdk.devices.tinygrad.opencl.self_test import check_device, check_sums
from edge_sdk.devices.tinygrad.provider import GRAPH_OPS
from edge_sdk.devices.tinygrad.residents import Residents
from edge_sdk.model_file import Model

KERNELS = "OpenCL"
FUSED = f"fused {KERNELS}"


def choose(device: str) -> KernelChoice:
    """The path on tinygrad's `device`; compiles and tests the kernels on first use.

    Raises UsageError where EDGE_KERNELS is off.
    """
    return KernelChoice(GRAPH_OPS) if graph_wanted() else _tested(device)


@cache
def _tested(device: str) -> KernelChoice:
    try:
        check_device(device)
    # Whatever a compiler, a driver or a wrong sum raises, models still run: on graph ops.
    except Exception as error:
        return KernelChoice(GRAPH_OPS, warning=warn(KERNELS, error))
    return KernelChoice(FUSED, usable=True)


class ClResidents(Residents[Resident]):
    """The models on one device."""

    kernels = KERNELS

    def __init__(self, device: str) -> None:
        super().__init__()
        self._device = device

    def usable(self) -> bool:
        """See Residents."""
        return choose(self._device).usable

    def upload(self, model: Model, progress: Progress | None) -> Resident:
        """See Residents."""
        return Resident(self._device, model, progress)

    def check(self, resident: Resident) -> None:
        """See Residents."""
        check_sums(resident)
