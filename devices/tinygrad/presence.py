"""Whether a GPU of some kind can be here at all, found out in a millisecond and without tinygrad.

It knows what each kind leaves in the system; it does not know whether the GPU then works. Importing
tinygrad to hear that there is no driver would take more time and memory than running a small model.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from edge_sdk.devices.tinygrad.cuda_driver import cuda_devices

AMD_VENDOR = "0x1002"
_KFD = Path("/dev/kfd")
_PCI = Path("/sys/bus/pci/devices")
_VARIABLES = {
    "CUDA": "CUDA_PATH",
    "CL": "OPENCL_PATH",
    "AMD": "AMD_IFACE",
    "WEBGPU": "WEBGPU_PATH",
}
"""Back end -> what tells tinygrad of a place that is not searched here."""


def absence(backend: str) -> str | None:
    """Why tinygrad's `backend` (`CUDA`, `METAL`, ...) cannot be used; None where it may be.

    None, too, where the system, or a variable that tinygrad reads, leaves that open.
    """
    if backend == "METAL":
        return None if sys.platform == "darwin" else "Metal is a part of macOS alone"
    if sys.platform != "linux" or os.environ.get(_VARIABLES.get(backend, ""), ""):
        return None
    if backend == "CUDA":
        return None if cuda_devices() else "the NVIDIA driver (libcuda) is missing or has no card"
    if backend == "AMD":
        return None if has_amd() else "no AMD GPU was found: no /dev/kfd, and none on the PCI bus"
    if backend == "WEBGPU":
        return dawn_absence()
    return opencl_absence() if backend == "CL" else None


def has_amd(kfd: Path = _KFD, pci: Path = _PCI) -> bool:
    """Whether the driver's device file is there, or a PCI device of AMD's graphics."""
    return kfd.exists() or any(_text(vendor) == AMD_VENDOR for vendor in pci.glob("*/vendor"))


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def dawn_absence(name: str = "libwebgpu_dawn.so") -> str | None:
    """Why WebGPU cannot be reached; None where Dawn, the library that speaks it, is there."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return "WebGPU's library Dawn (libwebgpu_dawn) is not installed"
    return None


def opencl_absence(names: tuple[str, ...] = ("libOpenCL.so.1", "libOpenCL.so")) -> str | None:
    """Why OpenCL finds nothing to run on; None where it finds a platform."""
    for name in names:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        count = ctypes.c_uint32()
        if library.clGetPlatformIDs(0, None, ctypes.byref(count)) == 0 and count.value:
            return None
        return "OpenCL is installed, but no driver for it"
    return "OpenCL (libOpenCL) is not installed"
