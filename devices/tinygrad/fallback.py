"""What is said and kept where a GPU's kernels are chosen, or cannot be used.

It knows sentences and the log; it does not know kernels, drivers or models.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass


@dataclass(frozen=True)
class KernelChoice:
    """The path in use on one GPU."""

    label: str
    """As `doctor`, `bench` and the app show it."""
    usable: bool = False
    """Whether our kernels run; False: graph ops."""
    warning: str | None = None
    """Why the kernels cannot be used, where they should have been."""

    def details(self) -> dict[str, str]:
        """For DeviceInfo.details: `kernels`, and `warning` where there is one."""
        warning = {"warning": self.warning} if self.warning else {}
        return {"kernels": self.label, **warning}


def describe(error: Exception) -> str:
    """The kind of an error and the first line of what it says, at most 200 characters of it."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def warn(kernels: str, error: Exception) -> str:
    """Log that `kernels` ("CUDA", ...) cannot be used, and return the sentence."""
    warning = (
        f"the {kernels} kernels cannot be used ({describe(error)}); "
        "graph ops run instead, many times slower"
    )
    logging.getLogger(__name__).warning("%s", warning, exc_info=error)
    return warning
