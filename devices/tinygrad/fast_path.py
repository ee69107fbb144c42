"""Decides how a model runs on the CPU: with the C kernels, or with graph ops and a warning.

It knows where kernels come from, when they may be used and what is said when they may not; it does
not know what they compute.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from edge_sdk.devices.tinygrad import engine
from edge_sdk.devices.tinygrad.compiler import OVERRIDE_VARIABLE
from edge_sdk.devices.tinygrad.cores import thread_count
from edge_sdk.devices.tinygrad.fallback import describe
from edge_sdk.devices.tinygrad.native import Kernels
from edge_sdk.devices.tinygrad.prebuilt import load_prebuilt
from edge_sdk.devices.tinygrad.provider import GRAPH_OPS
from edge_sdk.devices.tinygrad.self_test import check_kernels
from edge_sdk.errors import EdgeError, UsageError

KERNELS_VARIABLE = "EDGE_KERNELS"
"""`graph` runs models with tinygrad's own ops: slow, but the reference."""


@dataclass(frozen=True)
class Choice:
    """The path in use."""

    label: str
    """As `doctor`, `bench` and the app show it."""
    kernels: Kernels | None = None
    """None: graph ops."""
    problem: str | None = None
    """Why the kernels that should run cannot be used."""

    @property
    def warning(self) -> str | None:
        """The problem, and what runs instead; None where all is well."""
        if self.problem is None:
            return None
        slow = "" if self.kernels else ", many times slower"
        return f"{self.problem}; in use: {self.label}{slow}"


def choose() -> Choice:
    """The path for the CPU; loads (or compiles) and tests the kernels on first use.

    Raises UsageError where EDGE_KERNELS is neither `graph` nor `fused`, or EDGE_THREADS is off.
    """
    if graph_wanted():
        return Choice(GRAPH_OPS)
    return _tested(thread_count(), bool(os.environ.get(OVERRIDE_VARIABLE)))


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
def _tested(threads: int, compiler_named: bool) -> Choice:
    """The first kernels that load and compute what NumPy computes.

    Prebuilt ones are as fast as those compiled for exactly this processor, and there sooner
    (docs/performance.md); who names a compiler wants to see what that one makes.
    """
    origins: list[tuple[str, Callable[[], Kernels | None]]] = [
        ("prebuilt", load_prebuilt),
        ("compiled here", _compile),
    ]
    reasons = []
    for origin, load in reversed(origins) if compiler_named else origins:
        try:
            kernels = load()
            if kernels is None:
                continue
            check_kernels(kernels, threads)
        # Whatever a compiler, a loader or a wrong sum raises, models still run.
        except Exception as error:
            reasons.append(f"{origin}: {_reason(error)}")
            # An EdgeError's sentence says all; anything else is a surprise, and its place matters.
            surprise = not isinstance(error, EdgeError)
            logging.getLogger(__name__).warning("C kernels, %s", reasons[-1], exc_info=surprise)
            continue
        label = f"fused C, {kernels.tier}, {origin}"
        return Choice(label, kernels, _problem(reasons))
    return Choice(GRAPH_OPS, problem=_problem(reasons))


def _compile() -> Kernels:
    """Kernels for exactly this processor; raises what the compiler or tinygrad raises."""
    found = engine.compiler()
    if isinstance(found, EdgeError):
        raise found

    def work() -> Kernels:
        from edge_sdk.devices.tinygrad.kernels import load_kernels

        return load_kernels()

    return engine.run(work)


def _reason(error: Exception) -> str:
    if isinstance(error, EdgeError):
        return f"{error.message.rstrip('.')}; {error.hint or ''}".rstrip("; .")
    return describe(error)


def _problem(reasons: list[str]) -> str | None:
    return f"the C kernels cannot be used ({'; '.join(reasons)})" if reasons else None
