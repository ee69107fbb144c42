"""Triton kernels of the MLGRU scan: one program a row and block of channels, in order of time.

It knows CUDA tensors and the recurrence that `scan` states; it does not know autograd or layers.
The state is carried in float32, whatever the inputs' type.
"""
# Triton reads a kernel's annotations itself, so kernels have none but `constexpr`.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators
# ruff: noqa: ANN001, ANN202

import torch
import triton
import triton.language as tl
from torch import Tensor

CHANNELS = 64
"""Channels a program; one a thread, in two warps."""


@triton.jit
def _forward_kernel(candidate, forget, bound, reset, states, steps, width, BLOCK: tl.constexpr):
    channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = tl.program_id(1)
    inside = channel < width
    low = tl.load(bound + channel, mask=inside, other=0.0)
    state = tl.zeros([BLOCK], tl.float32)
    start = row.to(tl.int64) * steps * width + channel
    for t in range(steps):
        at = start + t * width
        i = tl.load(candidate + at, mask=inside, other=0.0).to(tl.float32)
        g = tl.load(forget + at, mask=inside, other=0.0).to(tl.float32)
        r = tl.load(reset + row * steps + t)
        f = low + (1 - low) * tl.sigmoid(g)
        state = tl.where(r != 0, 0.0, state)
        state = f * state + i * tl.sigmoid(i) * (1 - f)
        tl.store(states + at, state, mask=inside)


@triton.jit
def _backward_kernel(
    candidate,
    forget,
    bound,
    reset,
    states,
    grad,
    d_candidate,
    d_forget,
    d_bound,
    steps,
    width,
    BLOCK: tl.constexpr,
):
    channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = tl.program_id(1)
    inside = channel < width
    low = tl.load(bound + channel, mask=inside, other=0.0)
    carry = tl.zeros([BLOCK], tl.float32)
    sum_bound = tl.zeros([BLOCK], tl.float32)
    start = row.to(tl.int64) * steps * width + channel
    for back in range(steps):
        t = steps - 1 - back
        at = start + t * width
        i = tl.load(candidate + at, mask=inside, other=0.0).to(tl.float32)
        g = tl.load(forget + at, mask=inside, other=0.0).to(tl.float32)
        r = tl.load(reset + row * steps + t)
        before = tl.load(states + at - width, mask=inside & (t > 0), other=0.0)
        before = tl.where(r != 0, 0.0, before)
        s = tl.sigmoid(g)
        si = tl.sigmoid(i)
        silu = i * si
        f = low + (1 - low) * s
        carry += tl.load(grad + at, mask=inside, other=0.0).to(tl.float32)
        d_f = carry * (before - silu)
        sum_bound += d_f * (1 - s)
        tl.store(d_forget + at, d_f * (1 - low) * s * (1 - s), mask=inside)
        tl.store(d_candidate + at, carry * (1 - f) * (si + silu * (1 - si)), mask=inside)
        carry = tl.where(r != 0, 0.0, carry * f)
    tl.store(d_bound + row * width + channel, sum_bound, mask=inside)


def forward(candidate: Tensor, forget: Tensor, bound: Tensor, reset: Tensor) -> Tensor:
    """States [B, T, d] float32 of contiguous or strided CUDA inputs; see `scan.mlgru_scan`."""
    candidate, forget = candidate.contiguous(), forget.contiguous()
    rows, steps, width = candidate.shape
    states = torch.empty(candidate.shape, dtype=torch.float32, device=candidate.device)
    _forward_kernel[(triton.cdiv(width, CHANNELS), rows)](
        candidate,
        forget,
        bound.contiguous(),
        reset.contiguous(),
        states,
        steps,
        width,
        CHANNELS,
        num_warps=2,
    )
    return states


def backward(
    candidate: Tensor, forget: Tensor, bound: Tensor, reset: Tensor, states: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of candidate, forget and bound, in their types; see `scan.loop_backward`."""
    candidate, forget = candidate.contiguous(), forget.contiguous()
    rows, steps, width = candidate.shape
    d_candidate, d_forget = torch.empty_like(candidate), torch.empty_like(forget)
    # One sum a row, added up afterwards: an atomic add would make the result vary between runs.
    d_bound = torch.empty((rows, width), dtype=torch.float32, device=candidate.device)
    _backward_kernel[(triton.cdiv(width, CHANNELS), rows)](
        candidate,
        forget,
        bound.contiguous(),
        reset.contiguous(),
        states.contiguous(),
        grad.contiguous(),
        d_candidate,
        d_forget,
        d_bound,
        steps,
        width,
        CHANNELS,
        num_warps=2,
    )
    return d_candidate, d_forget, d_bound.sum(0)
