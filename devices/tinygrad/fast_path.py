"""Decides how a model runs on the CPU: with the C kernels, or with graph ops and a warning.

It knows when the kernels may be used and what is said when they may not; it does not know what
they compute.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import cache

from edge_sdk.devices.tinygrad.cores import thread_count
from edge_sdk.devices.tinygrad.kernels import Kernels, load_kernels
from edge_sdk.devices.tinygrad.provider import GRAPH_OPS
from edge_sdk.devices.tinygrad.self_test import check_kernels
from edge_sdk.errors import UsageError

KERNELS_VARIABLE = "EDGE_KERNELS"
"""`graph` runs models with tinygrad's own ops: slow, but the reference."""


@dataclass(frozen=True)
class Choice:
    """The path in use."""

    label: str
    """As `doctor`, `bench` and the app show it."""
    kernels: Kernels | None = None
    """None: graph ops."""
    warning: str | None = None
    """Why the kernels cannot be used, where they should have been."""


def choose() -> Choice:
    """The path for the CPU; compiles, loads and tests the kernels on first use (engine thread).

    Raises UsageError where EDGE_KERNELS is neither `graph` nor `fused`, or EDGE_THREADS is off.
    """
    return Choice(GRAPH_OPS) if graph_wanted() else _tested(thread_count())


def graph_wanted() -> bool:
    """Whether EDGE_KERNELS asks for graph ops; raises UsageError where it is off."""
    wanted = os.environ.get(KERNELS_VARIABLE) or "fused"
    if wanted not in ("fused", "graph"):
        raise UsageError(
            f"{KERNELS_VARIABLE} is {wanted!r}; expected 'fused' or 'graph'.",
            hint=f"unset {KERNELS_VARIABLE} to use the fast path.",
        )
    return wanted == "graph"


@cache
def _tested(threads: int) -> Choice:
    try:
        kernels = load_kernels()
        check_kernels(kernels, threads)
    # Whatever a compiler, a loader or a wrong sum raises, models still run: on graph ops.
    except Exception as error:
        lines = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
        warning = (
            f"the C kernels cannot be used ({reason}); graph ops run instead, many times slower"
        )
        logging.getLogger(__name__).warning("%s", warning, exc_info=True)
        return Choice(GRAPH_OPS, warning=warning)
    return Choice(f"fused C, {kernels.tier}", kernels)
