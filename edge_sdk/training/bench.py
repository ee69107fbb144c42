"""Measures training steps of one shape: plain, compiled, and fused with and without recomputation.

It knows clocks and peak memory; it does not know data: ids are random. Every figure is of whole
steps: forward, backward, clipping and AdamW, float32 master weights, bfloat16 products on CUDA. A
captured step is one CUDA graph: the host launches once where it would launch thousands of kernels.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from edge_sdk.errors import DeviceNotFound, UsageError
from edge_sdk.training.model import LanguageModel
from edge_sdk.training.recipe import Shape

SHAPES = {
    "370m": Shape(hidden=1024, layers=24, vocabulary=32_000),
    "tern": Shape(hidden=512, layers=8, vocabulary=4096),
    "nano": Shape(hidden=64, layers=2, vocabulary=512),
}
WARM_STEPS = 3
STEPS = 8
MOST_ROWS = 128


@dataclass(frozen=True)
class Variant:
    """One way to compute the same step."""

    name: str
    compiled: bool
    fused: bool
    recompute: str = "none"
    captured: bool = False
    """Whether the whole step is one CUDA graph; measured on CUDA only."""
    grows: bool = False
    """Whether the largest number of rows that fits is looked for, too."""


VARIANTS = (
    Variant("unfused eager", compiled=False, fused=False, grows=True),
    Variant("unfused compiled", compiled=True, fused=False, grows=True),
    Variant("fused eager", compiled=False, fused=True),
    Variant("fused compiled", compiled=True, fused=True),
    Variant("fused, captured", compiled=True, fused=True, captured=True, grows=True),
    Variant("the same, GLU recomputed", True, True, "glu", captured=True),
    Variant("blocks recomputed, not captured", True, True, "block"),
    Variant("the same, captured", True, True, "block", captured=True, grows=True),
)
"""The first is what the others are compared with."""

Say = Callable[[str], None]


def bench(
    shape: str,
    device_name: str = "auto",
    rows: Sequence[int] = (8, 16),
    length: int = 1024,
    variants: Sequence[Variant] = VARIANTS,
    *,
    largest: bool = True,
    say: Say = print,
) -> dict[str, Any]:
    """Measure every variant at every number of rows, and at the largest that fits.

    Returns `results`, one a measurement: variant, rows, tokens_per_second, peak_bytes (in use) and
    reserved_bytes (held by torch; both None on a CPU), the ratios `speed` and `memory` to the first
    variant at the same rows; or `failed`.
    Raises UsageError for an unknown shape, DeviceNotFound where the shape needs a GPU.
    """
    if shape not in SHAPES:
        raise UsageError(
            f"there is no shape {shape!r}.", hint=f"choose one of {', '.join(SHAPES)}."
        )
    if device_name == "auto":
        device_name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(device_name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceNotFound(
            f"torch {torch.__version__} sees no device {device_name!r} on this machine.",
            hint="check the driver with nvidia-smi.",
        )
    if device.type == "cpu" and shape != "nano":
        raise DeviceNotFound(
            f"measuring the {shape} shape needs a CUDA GPU, which torch does not see here.",
            hint="add --bench-shape nano to try the bench on the CPU.",
        )
    results: list[dict[str, Any]] = []
    for variant in variants:
        if variant.captured and device.type != "cuda":
            continue
        sizes = list(rows)
        if largest and variant.grows and device.type == "cuda":
            sizes += _doubled(max(rows))
        for size in sizes:
            result = _measure(shape, device, variant, size, length)
            results.append(result)
            say(_sentence(result))
            if "failed" in result:
                break
    _compare(results, variants[0].name)
    return {
        "shape": shape,
        "parameters": SHAPES[shape].parameters,
        "length": length,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "steps": STEPS,
        "results": results,
    }


def _doubled(most: int) -> list[int]:
    sizes = []
    while most * 2 <= MOST_ROWS:
        most *= 2
        sizes.append(most)
    return sizes


def _measure(
    shape: str, device: torch.device, variant: Variant, rows: int, length: int
) -> dict[str, Any]:
    """One measurement; memory that does not suffice is a result too."""
    result: dict[str, Any] = {"variant": variant.name, "rows": rows}
    try:
        started = time.perf_counter()
        step = _prepare(SHAPES[shape], device, variant, rows, length)
        for _ in range(WARM_STEPS):
            step()
        _wait(device)
        if device.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        if variant.captured:
            step = _captured(step)
            step()
        _wait(device)
        result["warm_up_seconds"] = round(time.perf_counter() - started, 1)
        started = time.perf_counter()
        for _ in range(STEPS):
            loss = step()
        _wait(device)
        seconds = time.perf_counter() - started
        result["tokens_per_second"] = round(STEPS * rows * length / seconds)
        result["loss"] = float(loss)
        on_gpu = device.type == "cuda"
        result["peak_bytes"] = torch.cuda.max_memory_allocated(device) if on_gpu else None
        result["reserved_bytes"] = torch.cuda.max_memory_reserved(device) if on_gpu else None
    except torch.cuda.OutOfMemoryError:
        result["failed"] = "out of memory"
    finally:
        step = loss = None  # type: ignore[assignment]
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return result


def _prepare(
    shape: Shape, device: torch.device, variant: Variant, rows: int, length: int
) -> Callable[[], torch.Tensor]:
    torch.manual_seed(0)
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    model = LanguageModel(shape, kind).to(device)
    if variant.fused:
        model.fuse(variant.recompute)
    if variant.compiled:
        compile_blocks(model)
    on_gpu = device.type == "cuda"
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=1e-4, fused=on_gpu, capturable=on_gpu and variant.captured
    )
    ids = torch.randint(4, shape.vocabulary, (rows, length + 1), device=device)
    inputs, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    mask = torch.ones(rows, length, dtype=torch.uint8, device=device)

    def step() -> torch.Tensor:
        loss, _ = model.loss(inputs, targets, mask)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    return step


def _captured(step: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """`step`, which has run before, as one CUDA graph; its memory counts while it is captured."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()

    def replay() -> torch.Tensor:
        graph.replay()
        return loss

    return replay


def compile_blocks(model: LanguageModel) -> None:
    """Compile one block for all of them, and the unfused head with its loss.

    The blocks share their code, so the compiler works once, not once a layer.
    """
    torch._dynamo.reset()
    for layer in model.model.layers:
        layer.compile(dynamic=False)
    if not model.fused:
        model.head_losses = torch.compile(model.head_losses, dynamic=False)  # type: ignore[method-assign]


def _compare(results: list[dict[str, Any]], base: str) -> None:
    first = {one["rows"]: one for one in results if one["variant"] == base and "failed" not in one}
    for one in results:
        with_ = first.get(one["rows"])
        if with_ is not None and "failed" not in one:
            one["speed"] = round(one["tokens_per_second"] / with_["tokens_per_second"], 3)
            if one["peak_bytes"] is not None:
                one["memory"] = round(one["peak_bytes"] / with_["peak_bytes"], 3)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _sentence(result: dict[str, Any]) -> str:
    told = f"{result['variant']}, {result['rows']} rows: "
    if "failed" in result:
        return f"{told}{result['failed']}."
    peak = result["peak_bytes"]
    memory = f", peak {peak / 2**30:.2f} GiB" if peak is not None else ""
    return f"{told}{result['tokens_per_second']} tokens/s{memory}."
