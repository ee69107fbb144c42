"""Probes and opens one tinygrad back end.

It knows how a back end is probed without breaking the others and how its failures read as
sentences; it does not know models.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import psutil

from edge_sdk.device import DeviceInfo
from edge_sdk.devices.tinygrad import engine
from edge_sdk.devices.tinygrad.cuda_driver import cuda_devices
from edge_sdk.devices.tinygrad.fallback import describe
from edge_sdk.devices.tinygrad.presence import absence
from edge_sdk.errors import DeviceNotFound, EdgeError, UsageError
from edge_sdk.uri import DeviceURI

if TYPE_CHECKING:
    from edge_sdk.devices.tinygrad.device import TinygradDevice
    from edge_sdk.devices.tinygrad.fast_path import Choice
    from edge_sdk.devices.tinygrad.opencl.driver import ClDevice

GRAPH_OPS = "graph ops (tinygrad)"
"""What `kernels` says where tinygrad's own ops run; here, so that listing imports no tinygrad."""
NO_COMPILER = "none (needed only for graph ops, the reference: clang or `edge-sdk[compiler]`)"
"""What `doctor` says of a machine that runs the prebuilt kernels and could compile none."""


@dataclass(frozen=True)
class TinygradProvider:
    """A device provider for one back end of tinygrad."""

    scheme: str
    """The URI scheme: `cpu`, `cuda`, ..."""
    backend: str
    """tinygrad's name of it: `CPU`, `CUDA`, `CL`, ..."""
    kind: str
    remedy: str

    def discover(self) -> list[DeviceInfo]:
        """One entry for each device of this back end, or one that says why there is none."""
        try:
            return [self._probe(index) for index in range(max(self._count(), 1))]
        except EdgeError as error:
            return [self._unusable(0, error.message.rstrip("."), error.hint or self.remedy)]

    def open(self, uri: DeviceURI) -> TinygradDevice:
        """Open `cpu`, `cuda`, `cuda:1`, ...

        Raises DeviceNotFound with the reason, UsageError for a URI with options.
        """
        index = self._index(uri)
        if uri.options:
            raise UsageError(
                f"{str(uri)!r} has options, and the device {self._uri(index)!r} takes none.",
                hint=f"write '{self._uri(index)}'.",
            )
        info = self._probe(index)
        if not info.usable:
            raise DeviceNotFound(f"{uri} cannot be used: {info.reason}.", hint=info.remedy)
        from edge_sdk.devices.tinygrad.device import TinygradDevice

        return TinygradDevice(info, self._tinygrad_name(index), index)

    def _count(self) -> int:
        """How many devices the driver lists; 1 where only opening tells."""
        if self.backend == "CUDA":
            return len(cuda_devices())
        if self.backend != "CL" or absence("CL"):
            return 1
        return len(engine.run(_cl_devices))

    def _index(self, uri: DeviceURI) -> int:
        if not uri.target:
            return 0
        if not (uri.target.isascii() and uri.target.isdigit() and len(uri.target) <= 3):
            raise DeviceNotFound(
                f"{str(uri)!r} names no {self.scheme} device; expected a number after the colon.",
                hint=f"write '{self._uri(0)}'; `edge-sdk devices` lists those of this machine.",
            )
        index = int(uri.target)
        if self.kind == "cpu" and index:
            raise DeviceNotFound(
                f"there is no device {str(uri)!r}; all cores together are the device 'cpu'.",
                hint="write 'cpu'.",
            )
        return index

    def _uri(self, index: int) -> str:
        return self.scheme if self.kind == "cpu" else f"{self.scheme}:{index}"

    def _tinygrad_name(self, index: int) -> str:
        return f"{self.backend}:{index}" if index else self.backend

    def _probe(self, index: int) -> DeviceInfo:
        if self.backend == "CPU":
            choice = _choose_cpu_path()
            # With kernels, nothing of tinygrad is needed, nor the compiler that it asks for.
            return self._usable_cpu(choice) if choice.kernels else self._probe_graph_cpu(choice)
        missing = absence(self.backend)
        if missing is not None:
            return self._unusable(index, missing, self.remedy)
        return self._probe_backend(index) or self._usable(index)

    def _probe_graph_cpu(self, choice: Choice) -> DeviceInfo:
        found = engine.compiler()
        if isinstance(found, EdgeError):
            reason = choice.problem or found.message.rstrip(".")
            return self._unusable(0, reason, found.hint or self.remedy)
        return self._probe_backend(0) or self._usable_cpu(choice)

    def _probe_backend(self, index: int) -> DeviceInfo | None:
        """Open tinygrad's back end; an entry that says why that failed, or None."""
        try:
            if self.backend == "CL" and index >= (count := self._count()):
                listed = f"{count} device" if count == 1 else f"{count} devices"
                return self._unusable(index, f"OpenCL lists {listed}", self.remedy)
            engine.run(_open_backend, self._tinygrad_name(index))
        except EdgeError as error:
            return self._unusable(index, error.message.rstrip("."), error.hint or self.remedy)
        # tinygrad reports a missing driver with nearly every exception type there is.
        except Exception as error:
            reason = f"tinygrad could not open it ({describe(error)})"
            return self._unusable(index, reason, self.remedy)
        return None

    def _unusable(self, index: int, reason: str, remedy: str) -> DeviceInfo:
        return DeviceInfo(
            uri=self._uri(index),
            name=f"tinygrad {self.backend}",
            kind=self.kind,
            usable=False,
            reason=reason,
            remedy=remedy,
        )

    def _usable_cpu(self, choice: Choice) -> DeviceInfo:
        found = engine.compiler()
        details = {
            "tinygrad": version("tinygrad"),
            "kernels": choice.label,
            "compiler": NO_COMPILER if isinstance(found, EdgeError) else found.label,
        }
        if choice.warning:
            details["warning"] = choice.warning
        return DeviceInfo(
            uri=self._uri(0),
            name=_cpu_name(),
            kind=self.kind,
            usable=True,
            memory=psutil.virtual_memory().total,
            details=details,
        )

    def _usable(self, index: int) -> DeviceInfo:
        name, memory, kind = f"tinygrad {self.backend}", None, self.kind
        details = {"tinygrad": version("tinygrad"), "kernels": GRAPH_OPS}
        if self.backend == "CUDA":
            cards = cuda_devices()
            if index < len(cards):
                name, memory = cards[index]
            details |= engine.run(_cuda_kernels, self._tinygrad_name(index), index)
        elif self.backend == "CL":
            device = engine.run(_cl_devices)[index]
            name, memory, kind = device.name, device.memory, "gpu" if device.gpu else "cpu"
            details |= {"driver": f"{device.platform}, {device.version}"}
            details |= engine.run(_cl_kernels, self._tinygrad_name(index))
        measured = details["kernels"].startswith("fused CUDA")
        return DeviceInfo(
            uri=self._uri(index),
            name=name,
            kind=kind,
            usable=True,
            memory=memory,
            details=details,
            # Graph ops on an H100 are slower than our kernels on two cores of a CPU. How fast our
            # OpenCL kernels are on a GPU has not been measured.
            named_only=not measured,
        )


def _open_backend(name: str) -> None:
    from tinygrad import Device

    Device[name]  # opening is the probe


def _choose_cpu_path() -> Choice:
    """Which path a model takes on the CPU, and a warning if it is not the fast one."""
    from edge_sdk.devices.tinygrad.fast_path import choose

    return choose()


def _cuda_kernels(name: str, index: int) -> dict[str, str]:
    """Which path a model takes on an NVIDIA card, and a warning if it is not the fast one."""
    from edge_sdk.devices.tinygrad.cuda.path import choose

    return choose(name, index).details()


def _cl_devices() -> tuple[ClDevice, ...]:
    from edge_sdk.devices.tinygrad.opencl.driver import cl_devices

    return cl_devices()


def _cl_kernels(name: str) -> dict[str, str]:
    """The same on an OpenCL device."""
    from edge_sdk.devices.tinygrad.opencl.path import choose

    return choose(name).details()


def _cpu_name() -> str:
    """The processor's name as Linux tells it, else what kind of machine it is."""
    import platform
    from pathlib import Path

    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
