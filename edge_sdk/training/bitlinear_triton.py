"""Triton kernels of the fused BitLinear: one program a row or a block of elements.

It knows CUDA tensors and the formulas that `bitlinear` states; it does not know autograd or layers.
"""
# Triton reads a kernel's annotations itself, so kernels have none but `constexpr`.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators
# ruff: noqa: ANN001, ANN202

import torch
import triton
import triton.language as tl
from torch import Tensor

EPSILON = tl.constexpr(1e-6)
SMALLEST = tl.constexpr(1e-5)
# Added and taken away again, it rounds a small float32 to the nearest whole number, halves to even.
ROUND = tl.constexpr(12582912.0)
ELEMENTS = 2048
"""Elements of one program where rows do not matter."""
ROWS = 16
"""Rows of one program that sums over rows."""
SUMS = 1 << 24
"""int32 sums held at a time (64 MiB)."""


@triton.jit
def _quantise_kernel(x, gain, levels, rms, scale, width, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    value = tl.load(x + row * width + column, mask=inside, other=0.0).to(tl.float32)
    r = 1.0 / tl.sqrt(tl.sum(value * value, 0) / width + EPSILON)
    y = value * r * tl.load(gain + column, mask=inside, other=0.0).to(tl.float32)
    s = 127.0 / tl.maximum(tl.max(tl.abs(y), 0), SMALLEST)
    level = tl.minimum(tl.maximum((y * s + ROUND) - ROUND, -128.0), 127.0)
    tl.store(levels + row * width + column, level.to(tl.int8), mask=inside)
    tl.store(rms + row, r)
    tl.store(scale + row, s)


@triton.jit
def _dequantise_kernel(x, gain, rms, scale, out, width, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    value = tl.load(x + row * width + column, mask=inside, other=0.0).to(tl.float32)
    s = tl.load(scale + row)
    gains = tl.load(gain + column, mask=inside, other=0.0).to(tl.float32)
    y = value * tl.load(rms + row) * gains
    level = tl.minimum(tl.maximum((y * s + ROUND) - ROUND, -128.0), 127.0)
    tl.store(out + row * width + column, (level / s).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _ternarise_kernel(weight, step, out, size, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    value = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32) / tl.load(step)
    # Clamped first: the rounding trick is for small numbers.
    trit = (tl.minimum(tl.maximum(value, -1.0), 1.0) + ROUND) - ROUND
    tl.store(out + at, trit.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _scale_kernel(sums, factor, out, width, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < width
    value = tl.load(sums + row * width + column, mask=inside, other=0).to(tl.float32)
    value = value * tl.load(factor + row)
    tl.store(out + row * width + column, value.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _norm_backward_kernel(
    dy, x, gain, rms, step, dx, sums, rows, width, COUNT: tl.constexpr, BLOCK: tl.constexpr
):
    program = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    gains = tl.load(gain + column, mask=inside, other=0.0).to(tl.float32)
    each = tl.load(step)
    total = tl.zeros([BLOCK], tl.float32)
    for index in range(COUNT):
        row = program * COUNT + index
        # As a block, not a scalar: the interpreter takes no mixed masks.
        real = inside & (row + 0 * column < rows)
        r = tl.load(rms + tl.minimum(row, rows - 1))
        unit = tl.load(x + row * width + column, mask=real, other=0.0).to(tl.float32) * r
        grad = tl.load(dy + row * width + column, mask=real, other=0.0).to(tl.float32) * each
        inner = grad * gains
        out = r * (inner - unit * (tl.sum(inner * unit, 0) / width))
        tl.store(dx + row * width + column, out.to(dx.dtype.element_ty), mask=real)
        total += grad * unit
    tl.store(sums + program * width + column, total, mask=inside)


def quantise(x: Tensor, gain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """See `bitlinear.quantise`; x [N, K] contiguous."""
    x = x.contiguous()
    rows, width = x.shape
    levels = torch.empty_like(x, dtype=torch.int8)
    r = torch.empty(rows, dtype=torch.float32, device=x.device)
    scale = torch.empty_like(r)
    block = triton.next_power_of_2(width)
    _quantise_kernel[(rows,)](x, gain, levels, r, scale, width, block, num_warps=_warps(block))
    return levels, r, scale


def dequantised(x: Tensor, gain: Tensor, r: Tensor, scale: Tensor, kind: torch.dtype) -> Tensor:
    """See `bitlinear.dequantised`."""
    x = x.contiguous()
    rows, width = x.shape
    out = torch.empty_like(x, dtype=kind)
    block = triton.next_power_of_2(width)
    _dequantise_kernel[(rows,)](x, gain, r, scale, out, width, block, num_warps=_warps(block))
    return out


def ternarise(weight: Tensor, step: Tensor, kind: torch.dtype) -> Tensor:
    """The matrix in trits, as `kind`."""
    weight = weight.contiguous()
    out = torch.empty_like(weight, dtype=kind)
    grid = (triton.cdiv(weight.numel(), ELEMENTS),)
    _ternarise_kernel[grid](weight, step, out, weight.numel(), ELEMENTS)
    return out


def product(levels: Tensor, trits: Tensor, factor: Tensor, kind: torch.dtype) -> Tensor:
    """See `bitlinear.product`; some rows at a time, so that the int32 sums stay small."""
    rows, width = levels.shape[0], trits.shape[0]
    out = torch.empty((rows, width), dtype=kind, device=levels.device)
    # Whole tiles of rows; the integer product wants more than 16 of them.
    part = max(128, SUMS // width // 128 * 128)
    for start in range(0, rows, part):
        own = levels[start : start + part]
        sums = _sums(own, trits)
        grid = (own.shape[0], triton.cdiv(width, ELEMENTS))
        into = out[start : start + part]
        _scale_kernel[grid](sums, factor[start : start + part], into, width, ELEMENTS)
    return out


def norm_backward(
    dy: Tensor, x: Tensor, gain: Tensor, r: Tensor, step: Tensor
) -> tuple[Tensor, Tensor]:
    """See `bitlinear.norm_backward`."""
    x, dy = x.contiguous(), dy.contiguous()
    rows, width = x.shape
    programs, block = triton.cdiv(rows, ROWS), triton.next_power_of_2(width)
    dx = torch.empty_like(x)
    # One sum a program, added up afterwards: an atomic add would make the result vary.
    sums = torch.empty((programs, width), dtype=torch.float32, device=x.device)
    _norm_backward_kernel[(programs,)](
        dy, x, gain, r, step, dx, sums, rows, width, ROWS, block, num_warps=_warps(block)
    )
    return dx, sums.sum(0).to(gain.dtype)


def wide_product(left: Tensor, right: Tensor) -> Tensor:
    """left · right in float32 from bfloat16 factors, summed in float32."""
    try:
        wide: Tensor = torch.mm(left, right, out_dtype=torch.float32)
    except (TypeError, RuntimeError):  # torch below 2.8 rounds the sums to bfloat16 first
        wide = torch.mm(left, right).float()
    return wide


def _sums(levels: Tensor, trits: Tensor) -> Tensor:
    """int8 [n, K] by int8 [M, K] transposed, int32 [n, M]."""
    rows = levels.shape[0]
    if rows <= 16:
        levels = torch.nn.functional.pad(levels, (0, 0, 0, 17 - rows))
    sums: Tensor = torch._int_mm(levels, trits.t())
    return sums[:rows]


def _warps(block: int) -> int:
    return max(1, min(16, block // 256))
