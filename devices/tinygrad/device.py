"""A CPU or GPU driven by tinygrad, opened.

It knows memory limits, the sessions that run and their telemetry; it does not know how a model
is computed.
"""

from __future__ import annotations

import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

import psutil

from edge_sdk.device import DeviceInfo, Progress
from edge_sdk.devices.power import UNNAMED_GPU, Sensors
from edge_sdk.devices.tinygrad import engine
from edge_sdk.errors import EdgeError, OutOfMemory, UnsupportedOperation
from edge_sdk.model_file import Model
from edge_sdk.telemetry import Provenance, Reading, Telemetry

if TYPE_CHECKING:
    from edge_sdk.devices.tinygrad.cuda.batch import CudaBatch
    from edge_sdk.devices.tinygrad.cuda.path import CudaResidents
    from edge_sdk.devices.tinygrad.cuda.resident import Resident
    from edge_sdk.devices.tinygrad.cuda.session import CudaSession
    from edge_sdk.devices.tinygrad.fast_session import FastSession
    from edge_sdk.devices.tinygrad.opencl.path import ClResidents
    from edge_sdk.devices.tinygrad.opencl.session import ClSession
    from edge_sdk.devices.tinygrad.session import TinygradSession

    AnySession: TypeAlias = FastSession | CudaSession | ClSession | TinygradSession

SCRATCH = 64 << 20
"""Bytes beyond the weights that a session may need: activations, logits, programs."""


class TinygradDevice:
    """See edge_sdk.device.Device."""

    def __init__(self, info: DeviceInfo, name: str, index: int) -> None:
        self._info = info
        self._name = name
        self._index = index
        self._residents: CudaResidents | None = None
        self._cl_residents: ClResidents | None = None
        unnamed = info.kind == "gpu" and name.startswith(("CL", "WEBGPU"))
        self._sensors = Sensors(UNNAMED_GPU if unnamed else info.kind, index)
        self._sessions: weakref.WeakSet[AnySession | CudaBatch] = weakref.WeakSet()
        self._closed = False

    @property
    def info(self) -> DeviceInfo:
        """What `list_devices` shows of it."""
        return self._info

    def load(self, model: Model, *, progress: Progress | None = None) -> AnySession:
        """Make `model` ready to run; raises OutOfMemory with the arithmetic if it does not fit."""
        self._check_open()
        self._check_memory(model)
        try:
            session = self._fused(model) or engine.run(self._load, model, progress)
        except MemoryError as error:
            raise self._does_not_fit(model, None) from error
        self._sessions.add(session)
        return session

    def _load(self, model: Model, progress: Progress | None) -> AnySession:
        if self._name.startswith("CL"):
            return self._opencl(model, progress) or self._graph(model, progress)
        resident = self._resident(model, progress)
        if resident is None:
            return self._graph(model, progress)
        from edge_sdk.devices.tinygrad.cuda.session import CudaSession

        return CudaSession(self, model, resident)

    def load_batch(
        self, model: Model, slots: int = 32, *, progress: Progress | None = None
    ) -> CudaBatch:
        """Make `model` ready to run for up to `slots` conversations at a time.

        Raises UnsupportedOperation where only single sessions run, OutOfMemory as `load` does.
        """
        if not self._name.startswith("CUDA"):
            raise self._one_at_a_time()
        from edge_sdk.devices.tinygrad.cuda.batch import CudaBatch

        def load() -> CudaBatch:
            try:
                resident = self._resident(model, progress)
                if resident is None:
                    raise self._one_at_a_time()
                return CudaBatch(self, model, resident, slots)
            except MemoryError as error:
                raise self._does_not_fit(model, None) from error

        self._check_open()
        self._check_memory(model)
        batch = engine.run(load)
        self._sessions.add(batch)
        return batch

    def _resident(self, model: Model, progress: Progress | None) -> Resident | None:
        """`model` on an NVIDIA card, for the CUDA kernels; None where they cannot be used."""
        if not self._name.startswith("CUDA"):
            return None
        from edge_sdk.devices.tinygrad.cuda.path import CudaResidents

        if self._residents is None:
            self._residents = CudaResidents(self._name, self._index)
        return self._residents.get(model, progress)

    def _fused(self, model: Model) -> FastSession | None:
        """`model` on the CPU's C kernels; None where they cannot be used. Needs no tinygrad."""
        if self._name != "CPU":
            return None
        from edge_sdk.devices.tinygrad.cores import thread_count
        from edge_sdk.devices.tinygrad.fast_path import choose
        from edge_sdk.devices.tinygrad.fast_session import FastSession

        kernels = choose().kernels
        return None if kernels is None else FastSession(self, model, kernels, thread_count())

    def _opencl(self, model: Model, progress: Progress | None) -> ClSession | None:
        from edge_sdk.devices.tinygrad.opencl.path import ClResidents
        from edge_sdk.devices.tinygrad.opencl.session import ClSession

        if self._cl_residents is None:
            self._cl_residents = ClResidents(self._name)
        resident = self._cl_residents.get(model, progress)
        return None if resident is None else ClSession(self, model, resident)

    def _graph(self, model: Model, progress: Progress | None) -> TinygradSession:
        if self._name == "CPU" and isinstance(found := engine.compiler(), EdgeError):
            raise found
        from edge_sdk.devices.tinygrad.session import TinygradSession
        from edge_sdk.devices.tinygrad.weights import load_weights

        weights = load_weights(model, self._name, progress)
        return TinygradSession(self, model, weights, self._name)

    def _check_open(self) -> None:
        if self._closed:
            raise UnsupportedOperation(
                f"the device {self._info.uri} is closed.", hint="open it again."
            )

    def _check_memory(self, model: Model) -> None:
        if self._name == "CPU":
            available = psutil.virtual_memory().available
            if model.weight_bytes + SCRATCH > available:
                raise self._does_not_fit(model, available)
        elif self._info.memory is not None and model.planes_bytes + SCRATCH > self._info.memory:
            raise self._does_not_fit(model, self._info.memory)

    def _one_at_a_time(self) -> UnsupportedOperation:
        return UnsupportedOperation(
            f"{self._info.uri} runs one conversation at a time.",
            hint="load one session a conversation.",
        )

    def _does_not_fit(self, model: Model, available: int | None) -> OutOfMemory:
        needed = model.weight_bytes if self._name == "CPU" else model.planes_bytes
        have = "less" if available is None else f"{available / 1e6:.0f} MB"
        return OutOfMemory(
            f"{model.name} needs {needed / 1e6:.0f} MB of weights and "
            f"{SCRATCH / 1e6:.0f} MB of working memory on {self._info.uri}, which has {have} free.",
            hint="close other programs, choose a smaller model, or another device.",
        )

    def telemetry(self) -> Telemetry:
        """Power, memory, temperature now; a reading that cannot be had says why."""
        readings = self._sensors.read()
        if self._info.kind == "cpu" or not readings.get("device_memory", _NONE).available:
            placed = sum(session.device_bytes for session in self._sessions)
            readings["device_memory"] = Reading(
                placed, "B", Provenance.DERIVED, "weights and state of the loaded models"
            )
        return Telemetry(readings)

    def forget(self, session: AnySession | CudaBatch) -> None:
        """A session tells that it is closed."""
        self._sessions.discard(session)

    def close(self) -> None:
        """Close all sessions; the device cannot be used afterwards."""
        self._closed = True
        for session in list(self._sessions):
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_NONE = Reading.unavailable("B", "none", "not read", "read it.")
