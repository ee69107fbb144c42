"""The processes of one training run, as torchrun starts them: who leads, and what all agree on.

It knows torch.distributed; it does not know models or data. Without torchrun there is one process
and nothing here costs anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from edge_sdk.errors import UsageError


class Workers:
    """This process among all of a run; `with` joins and leaves the group.

    Decisions go through a group of their own on the CPU, so that no GPU waits for them.
    """

    def __init__(self, device: torch.device) -> None:
        """Read RANK, WORLD_SIZE and LOCAL_RANK, which torchrun sets; raises UsageError."""
        try:
            self.rank = int(os.environ.get("RANK", "0"))
            self.size = int(os.environ.get("WORLD_SIZE", "1"))
        except ValueError as error:
            raise UsageError(
                f"RANK or WORLD_SIZE is not a number ({error}).", hint="start with torchrun."
            ) from error
        self._device = device
        self._control: Any = None

    @property
    def leads(self) -> bool:
        """Whether this process reads the text, validates and writes files."""
        return self.rank == 0

    def __enter__(self) -> Workers:
        if self.size > 1:
            distributed.init_process_group("nccl" if self._device.type == "cuda" else "gloo")
            self._control = distributed.new_group(backend="gloo")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.size > 1:
            distributed.destroy_process_group()

    def wait(self) -> None:
        """Return once every process is here."""
        if self.size > 1:
            distributed.barrier(group=self._control)

    def agree(self, seconds: float, stopped: bool) -> tuple[float, bool]:
        """The leader's clock and whether it was told to stop, the same in every process."""
        if self.size == 1:
            return seconds, stopped
        told = torch.tensor([seconds, float(stopped)], dtype=torch.float64)
        distributed.broadcast(told, 0, group=self._control)
        return float(told[0]), bool(told[1])

    def share(self, module: nn.Module) -> Callable[..., Any]:
        """`module`, its gradients averaged over all processes in each backward pass."""
        shared: Callable[..., Any] = module if self.size == 1 else DistributedDataParallel(module)
        return shared


def local_device(name: str) -> str:
    """The GPU of this process where torchrun started several; else `name` as it is."""
    local = os.environ.get("LOCAL_RANK")
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return f"cuda:{local}" if local and several and name in ("auto", "cuda") else name
