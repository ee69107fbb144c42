"""The models on one GPU, so that sessions of the same model share its weights.

It knows who holds which model and what happens if it fails; it does not know how weights lie.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

from edge_sdk.device import Progress
from edge_sdk.devices.tinygrad.fallback import warn
from edge_sdk.model_file import Model


class Held(Protocol):
    """A model on a GPU."""

    users: int
    """Sessions and batches that use it."""

    def free(self) -> None:
        """Give its memory back."""


R = TypeVar("R", bound=Held)


class Residents(ABC, Generic[R]):
    """See the module; each kind of GPU says how a model gets there. Runs on the engine thread."""

    kernels: str
    """What the kernels are called in a warning."""

    def __init__(self) -> None:
        self._known: dict[str, R] = {}

    @abstractmethod
    def usable(self) -> bool:
        """Whether our kernels may be used at all."""

    @abstractmethod
    def upload(self, model: Model, progress: Progress | None) -> R:
        """Put `model` there; raises MemoryError, or what the driver raises."""

    @abstractmethod
    def check(self, resident: R) -> None:
        """Raise VerifyFailed unless integer sums of its weights are exact."""

    def get(self, model: Model, progress: Progress | None = None) -> R | None:
        """`model` there, uploaded and checked if it is not yet; None: use graph ops.

        Raises MemoryError where it does not fit.
        """
        if not self.usable():
            return None
        for key in [key for key, held in self._known.items() if not held.users]:
            self._known.pop(key).free()
        known = self._known.get(model.sha256)
        if known is not None:
            return known
        try:
            resident = self.upload(model, progress)
            try:
                self.check(resident)
            except BaseException:
                resident.free()
                raise
        except MemoryError:
            raise
        except Exception as error:
            warn(self.kernels, error)
            return None
        self._known[model.sha256] = resident
        return resident
