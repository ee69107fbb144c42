"""The CUDA kernels, compiled for one model's sizes on one card.

It knows the source files, the definitions that go before them and the size of a decode block; it
does not know weights or sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from edge_sdk.config import ModelConfig
from edge_sdk.devices.tinygrad import kernels
from edge_sdk.devices.tinygrad.cuda import driver
from edge_sdk.devices.tinygrad.layout import SLOTS, Layout
from edge_sdk.errors import UnsupportedOperation

FILES = (
    "base.cu",
    "exchange.cu",
    "packed.cu",
    "decode.cu",
    "probe.cu",
    "rows.cu",
    "product.cu",
)
"""In the order in which they become one source."""
MIN_ARCH = 75
"""The first compute capability (times ten) with all that decode.cu uses."""
TENSOR_ARCH = 80
"""The first with the tensor-core product of product.cu."""
BULK_ARCH = 90
"""The first with bulk copies into shared memory."""
_FIXED = 40 << 10
"""Bytes of shared memory that a decode block takes besides, at most: its int8 row above all."""
PRODUCTS = ("mixer", "output", "gate", "down", "head")
_ROWS = ("embed", "scan", "best", "read", *(f"rows_{n}" for n in ("mixer", "output", "gate")))
_STAGE = 128 * 64 + 128 * 256
"""Bytes of one stage of a big product (product.cu)."""
_SHARED = {80: 163 << 10, 87: 163 << 10, 90: 227 << 10, 100: 227 << 10, 103: 227 << 10}
"""Shared memory a block may have, by architecture; 99 KiB elsewhere."""


@dataclass(frozen=True)
class Program:
    """The kernels by name, without their prefix `edge_`."""

    context: int
    kernel: dict[str, driver.Kernel]
    grid: int
    """Blocks of a decode launch: at most one a multiprocessor, each with rows of every matrix."""
    threads: int
    """Threads of a decode block."""
    decode_shared: int
    """Bytes of dynamic shared memory of a decode block: two buffers of weights, its sums."""
    product_shared: int
    """Bytes of shared memory for a block of a big product."""
    tensor_cores: bool
    """Whether the products of many rows are there."""
    multiprocessors: int


def source(config: ModelConfig, threads: int, stages: int, buffer: int) -> str:
    """The whole CUDA source for a model; buffer: bytes of one of decode's two, 0 for none."""
    sizes = {
        "WIDTH": config.hidden_size,
        "INNER": config.intermediate_size,
        "VOCAB": config.vocab_size,
        "LAYERS": config.num_layers,
        "EPS": f"{config.norm_eps:.9e}f",
        "THREADS": threads,
        "STAGES": stages,
        "BUFFER": buffer,
    }
    head = "".join(f"#define {name} {value}\n" for name, value in sizes.items())
    folder = files(__package__)
    return head + "\n".join((folder / name).read_text() for name in FILES)


def arch_number(arch: str) -> int:
    """`sm_90` -> 90."""
    return int(arch.removeprefix("sm_").rstrip("af") or 0)


def decode_threads(config: ModelConfig) -> int:
    """Threads of a decode block: what was fastest for vectors of this length."""
    return 512 if config.hidden_size > 512 else 256


@cache
def load_program(device: str, index: int, config: ModelConfig) -> Program:
    """Compile and load the kernels on tinygrad's `device`, CUDA's card `index` (engine thread).

    Raises UnsupportedOperation where this card cannot run them or these sizes do not fit them.
    """
    arch = arch_number(kernels.cuda_arch(device))
    if arch < MIN_ARCH or not driver.cooperative(index):
        raise UnsupportedOperation(
            f"the card has compute capability {arch / 10:.1f}; our kernels need 7.5 or more.",
            hint="use a card of 2018 or later.",
        )
    layout = Layout(config)
    processors = driver.multiprocessors(index)
    threads = decode_threads(config)
    # No more blocks than it takes: one more would have nothing to do while others have two groups.
    share = -(-layout.groups[0] // processors)
    grid = min(-(-layout.groups[0] // share), *layout.groups)
    own = [-(-groups // grid) for groups in layout.groups]
    stages = min(4, _SHARED.get(arch, 99 << 10) // _STAGE)
    if max(own[:2]) * 4 > threads or grid * -(-own[0] * 4 // 32) > min(2 * threads, SLOTS):
        raise UnsupportedOperation(
            f"a model of width {config.hidden_size} is too wide for {processors} multiprocessors.",
            hint="use a larger card.",
        )
    sums = 16 * max(own[0] * 3, own[1] * 2, own[2])
    buffer = _buffer(layout, own, _SHARED.get(arch, 0) - sums - _FIXED) if arch >= BULK_ARCH else 0
    decode_shared = 2 * buffer + sums
    loaded = kernels.load_cuda(device, source(config, threads, stages, buffer), "edge_decode")
    driver.use(loaded.context)
    names = [*_ROWS, "rows_down", "rows_head"]
    found = {name: driver.Kernel.find(loaded.module, f"edge_{name}") for name in names}
    for name in ("decode", "sums"):
        found[name] = driver.Kernel.find(loaded.module, f"edge_{name}", decode_shared)
    shared = stages * _STAGE
    if arch >= TENSOR_ARCH:
        for name in PRODUCTS:
            for size, bytes_ in (("small", 0), ("big", shared)):
                entry = f"edge_{size}_{name}"
                found[f"{size}_{name}"] = driver.Kernel.find(loaded.module, entry, bytes_)
    _loaded.append(loaded)
    return Program(
        context=loaded.context,
        kernel=found,
        grid=grid,
        threads=threads,
        decode_shared=decode_shared,
        product_shared=shared,
        tensor_cores=arch >= TENSOR_ARCH,
        multiprocessors=processors,
    )


def _buffer(layout: Layout, own: list[int], room: int) -> int:
    """Bytes that the largest phase of a decode block reads; 0 if two of them do not fit `room`."""
    wide, inner = layout.row_d, layout.row_i  # a group of four rows has as many bytes
    size = max(own[0] * 3 * wide, own[1] * 2 * wide, own[0] * inner)
    return size if 2 * size <= room else 0


_loaded: list[kernels.CudaModule] = []
"""Modules stay loaded as long as the process lives: launches refer to them by number."""
