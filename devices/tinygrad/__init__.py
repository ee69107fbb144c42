"""The CPU and every GPU that tinygrad drives, as device providers.

It knows which tinygrad back end stands behind which URI scheme; it imports tinygrad only when a
device is probed or opened.
"""

from __future__ import annotations

from edge_sdk.devices.tinygrad.provider import TinygradProvider

CPU = TinygradProvider("cpu", "CPU", "cpu", "see `edge-sdk doctor`.")
CUDA = TinygradProvider(
    "cuda",
    "CUDA",
    "gpu",
    "install NVIDIA's driver (libcuda) and NVRTC; `nvidia-smi` must list the card.",
)
METAL = TinygradProvider("metal", "METAL", "gpu", "use a Mac with macOS 13 or newer.")
AMD = TinygradProvider(
    "amd", "AMD", "gpu", "use Linux with the amdgpu driver and access to /dev/kfd (group render)."
)
OPENCL = TinygradProvider(
    "opencl", "CL", "gpu", "install the OpenCL driver of your GPU (a package with libOpenCL)."
)
WEBGPU = TinygradProvider(
    "webgpu",
    "WEBGPU",
    "gpu",
    "install Dawn's library libwebgpu_dawn and name its file in the variable WEBGPU_PATH.",
)
