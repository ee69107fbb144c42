"""What every device and every running model offer; the nouns that all layers share.

It knows the Device and Session protocols and the values that cross them; it does not know any
particular device, nor text.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgpack
import numpy as np
import numpy.typing as npt

from edge_sdk.errors import ModelRejected
from edge_sdk.uri import DeviceURI

if TYPE_CHECKING:
    from edge_sdk.model_file import Model
    from edge_sdk.telemetry import Telemetry

Progress = Callable[[str, int, int], None]
"""Called as (what, done, total) while something long runs; must return quickly."""


@dataclass(frozen=True)
class DeviceInfo:
    """One device as it is listed, whether it can be used or not."""

    uri: str
    """What `open_device` takes to open exactly this device."""
    name: str
    """What a person calls it, e.g. "NVIDIA H100 80GB HBM3"."""
    kind: str
    """`cpu`, `gpu`, `board` or `simulator`."""
    usable: bool
    reason: str | None = None
    """Why it is not usable."""
    remedy: str | None = None
    """What would make it usable."""
    memory: int | None = None
    """Bytes that a model could use at most; None where the system does not tell."""
    details: dict[str, str] = field(default_factory=dict)
    """More for a curious reader: compiler, kernel tier, firmware build id."""
    named_only: bool = False
    """Whether `auto` passes it over: it is slower than the CPU, or nobody has measured it."""


@dataclass(frozen=True)
class Candidates:
    """The scores after the last token fed.

    ids: int32 [k], ascending, logits: float32 [k]. k is the vocabulary size, or less where a board
    returns only its best ones.
    """

    ids: npt.NDArray[np.int32]
    logits: npt.NDArray[np.float32]

    def best(self) -> int:
        """The id of the largest logit; ties go to the lowest id (paper's greedy decoding)."""
        return int(self.ids[int(np.argmax(self.logits))])


@dataclass(frozen=True)
class State:
    """All that a session remembers: float32 [L, d], whatever the length of the conversation."""

    model: str
    """SHA-256 of the packed file that the state belongs to (hex)."""
    position: int
    """Tokens fed since the last reset."""
    hidden: npt.NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """Serialise as a msgpack map, for a file or a database."""
        value = {
            "model": self.model,
            "position": self.position,
            "shape": list(self.hidden.shape),
            "hidden": np.ascontiguousarray(self.hidden, dtype="<f4").tobytes(),
        }
        packed: bytes = msgpack.packb(value)
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> State:
        """Read what `to_bytes` wrote; raises ModelRejected on anything else."""
        try:
            raw: Any = msgpack.unpackb(data, raw=False, strict_map_key=True)
            layers, width = raw["shape"]
            hidden = np.frombuffer(raw["hidden"], dtype="<f4").reshape(layers, width)
            state = cls(str(raw["model"]), int(raw["position"]), hidden.astype(np.float32))
        except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
            raise ModelRejected(
                "a saved session state is malformed; expected what State.to_bytes wrote.",
                hint="start the conversation anew.",
            ) from error
        return state


class Session(Protocol):
    """A model running on a device: token ids in, scored candidates out, state kept between."""

    @property
    def model(self) -> Model:
        """The model that runs."""

    @property
    def device(self) -> Device:
        """The device that it runs on."""

    @property
    def position(self) -> int:
        """Tokens fed since the last reset."""

    def feed(
        self,
        ids: Sequence[int],
        *,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> Candidates:
        """Advance the state by `ids` (at least one) and return the candidates after the last.

        `cancel` is polled between chunks; once it is set, Cancelled is raised and the state is as
        it was before the call. Raises UsageError for an empty list or an id out of range.
        """

    def logits(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Advance the state by `ids` and return float32 [T, V], the logits at every position.

        Raises UnsupportedOperation on devices that return only the best candidates.
        """

    def snapshot(self) -> State:
        """A copy of the state."""

    def restore(self, state: State) -> None:
        """Continue from `state`, exactly; raises ModelRejected if it is another model's."""

    def reset(self) -> None:
        """Forget everything: the zero state."""

    def close(self) -> None:
        """Free the model's memory on the device; the session cannot be used afterwards."""


class Device(Protocol):
    """Where a model runs."""

    @property
    def info(self) -> DeviceInfo:
        """What `list_devices` shows of it."""

    def load(self, model: Model, *, progress: Progress | None = None) -> Session:
        """Make `model` ready to run; raises OutOfMemory with the arithmetic if it does not fit."""

    def telemetry(self) -> Telemetry:
        """Power, memory, temperature now; a reading that cannot be had says why."""

    def close(self) -> None:
        """Release the device."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Provider(Protocol):
    """What an entry point of the group `edge_sdk.devices` names: one kind of device."""

    def discover(self) -> list[DeviceInfo]:
        """All devices of this kind, unusable ones with reason and remedy; must not raise."""

    def open(self, uri: DeviceURI) -> Device:
        """Open one; raises DeviceNotFound, DeviceBusy, ... with a sentence."""


class Cancelled(Exception):
    """A caller's cancel flag stopped a feed; not an error, so not an EdgeError."""
