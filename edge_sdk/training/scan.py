"""The MLGRU recurrence over a window, forward and analytic backward, as a torch operator.

It knows the recurrence (arXiv 2406.02528, section 3.3.1, as released); it does not know layers.
Triton kernels run it on CUDA, a loop over time elsewhere.

    f_t = bound + (1 - bound) * sigmoid(forget_t)
    h_t = f_t * h_{t-1} + SiLU(candidate_t) * (1 - f_t)      h_{t-1} is zero where reset_t is set
"""
# No `from __future__ import annotations` here: torch reads operator schemas from live annotations.

from typing import Any

import torch
from torch import Tensor


def mlgru_scan(candidate: Tensor, forget: Tensor, bound: Tensor, reset: Tensor) -> Tensor:
    """States h [B, T, d] in float32 (float64 for float64 input), differentiable.

    candidate, forget: [B, T, d] pre-activations; bound: [d], the layer's lower bound;
    reset: int32 [B, T], non-zero where a document starts, so the state before it is zero.
    """
    states: Tensor = _scan(candidate, forget, bound, reset)
    return states


def loop_forward(candidate: Tensor, forget: Tensor, bound: Tensor, reset: Tensor) -> Tensor:
    """The recurrence written out step by step; autograd through it is the gradients' oracle."""
    kind = _state_dtype(candidate)
    drive, gate = candidate.to(kind), forget.to(kind)
    keep = (reset == 0).to(kind)
    state = torch.zeros_like(drive[:, 0])
    states = []
    for t in range(drive.shape[1]):
        f = bound + (1 - bound) * torch.sigmoid(gate[:, t])
        state = f * (state * keep[:, t, None]) + torch.nn.functional.silu(drive[:, t]) * (1 - f)
        states.append(state)
    return torch.stack(states, dim=1)


def loop_backward(
    candidate: Tensor, forget: Tensor, bound: Tensor, reset: Tensor, states: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of candidate, forget and bound, step by step from the last; the kernel's maths."""
    kind = states.dtype
    drive, gate, grad = candidate.to(kind), forget.to(kind), grad.to(kind)
    keep = (reset == 0).to(kind)
    d_candidate, d_forget = torch.empty_like(drive), torch.empty_like(drive)
    d_bound = torch.zeros_like(states[:, 0])
    carry = torch.zeros_like(states[:, 0])
    for t in range(drive.shape[1] - 1, -1, -1):
        s, si = torch.sigmoid(gate[:, t]), torch.sigmoid(drive[:, t])
        f, silu = bound + (1 - bound) * s, drive[:, t] * si
        before = states[:, t - 1] * keep[:, t, None] if t else torch.zeros_like(carry)
        carry = carry + grad[:, t]
        d_f = carry * (before - silu)
        d_bound += d_f * (1 - s)
        d_forget[:, t] = d_f * (1 - bound) * s * (1 - s)
        d_candidate[:, t] = carry * (1 - f) * (si + silu * (1 - si))
        carry = carry * f * keep[:, t, None]
    return d_candidate.to(candidate.dtype), d_forget.to(forget.dtype), d_bound.sum(0)


def _state_dtype(tensor: Tensor) -> torch.dtype:
    return torch.promote_types(tensor.dtype, torch.float32)


def _forward(candidate: Tensor, forget: Tensor, bound: Tensor, reset: Tensor) -> Tensor:
    if candidate.is_cuda:
        from edge_sdk.training import scan_triton  # Triton exists only on CUDA machines.

        return scan_triton.forward(candidate, forget, bound, reset)
    return loop_forward(candidate, forget, bound, reset)


def _backward(
    candidate: Tensor, forget: Tensor, bound: Tensor, reset: Tensor, states: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    if candidate.is_cuda:
        from edge_sdk.training import scan_triton

        return scan_triton.backward(candidate, forget, bound, reset, states, grad)
    return loop_backward(candidate, forget, bound, reset, states, grad)


def _fake_forward(candidate: Tensor, forget: Tensor, bound: Tensor, reset: Tensor) -> Tensor:
    return candidate.new_empty(candidate.shape, dtype=_state_dtype(candidate))


def _fake_backward(
    candidate: Tensor, forget: Tensor, bound: Tensor, reset: Tensor, states: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        candidate.new_empty(candidate.shape),
        forget.new_empty(forget.shape),
        bound.new_empty(bound.shape),
    )


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs, output)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
    return (*_scan_backward(*ctx.saved_tensors, grad), None)


_scan: Any = torch.library.custom_op("edge_sdk::mlgru_scan", _forward, mutates_args=())
_scan_backward: Any = torch.library.custom_op(
    "edge_sdk::mlgru_scan_backward", _backward, mutates_args=()
)
_scan.register_fake(_fake_forward)
_scan_backward.register_fake(_fake_backward)
_scan.register_autograd(_differentiate, setup_context=_save)
