"""Decides how a model runs on an OpenCL device: with our kernels, or graph ops and a warning.

It knows when the kernels may be used and what is said when they may not; it does not know what
they compute. Everything here runs on the engine thread.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cache

from edge_sdk.device import Progress
from edge_sdk.devices.tinygrad.fast_path import graph_wanted
from edge_sdk.devices.tinygrad.opencl.resident import Resident
from edge_sdk.devices.tinygrad.opencl.self_test import check_device, check_sums
from edge_sdk.devices.tinygrad.provider import GRAPH_OPS
from edge_sdk.model_file import Model

FUSED = "fused OpenCL"


@dataclass(frozen=True)
class ClChoice:
    """The path in use on one device."""

    label: str
    """As `doctor`, `bench` and the app show it."""
    warning: str | None = None
    """Why the kernels cannot be used, where they should have been."""


def choose(device: str) -> ClChoice:
    """The path on tinygrad's `device`; compiles and tests the kernels on first use.

    Raises UsageError where EDGE_KERNELS is off.
    """
    return ClChoice(GRAPH_OPS) if graph_wanted() else _tested(device)


@cache
def _tested(device: str) -> ClChoice:
    try:
        check_device(device)
    # Whatever a compiler, a driver or a wrong sum raises, models still run: on graph ops.
    except Exception as error:
        return ClChoice(GRAPH_OPS, warning=_warn(error))
    return ClChoice(FUSED)


def _warn(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
    warning = (
        f"the OpenCL kernels cannot be used ({reason}); graph ops run instead, many times slower"
    )
    logging.getLogger(__name__).warning("%s", warning, exc_info=error)
    return warning


@dataclass
class ClResidents:
    """The models on one device, so that sessions of the same model share its weights."""

    device: str
    _known: dict[str, Resident] = field(default_factory=dict)

    def get(self, model: Model, progress: Progress | None = None) -> Resident | None:
        """`model` on the device, uploaded and checked if it is not there; None: use graph ops.

        Raises MemoryError where it does not fit.
        """
        if choose(self.device).label != FUSED:
            return None
        for key in [key for key, held in self._known.items() if not held.users]:
            self._known.pop(key).free()
        known = self._known.get(model.sha256)
        if known is not None:
            return known
        try:
            resident = Resident(self.device, model, progress)
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
