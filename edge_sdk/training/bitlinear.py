"""The fused BitLinear: norm, quantisation and straight-through in one pass, forward and backward.

It knows rows, trits and their gradients; it does not know layers. Triton kernels run it on CUDA,
plain torch operations elsewhere; both multiply whole numbers (int8 by trits) exactly and scale
afterwards, as the integer runtimes do.

Of the forward pass only the input and two floats a row are kept; levels and trits are computed
again in the backward pass, which costs one pass over what has to be read anyway.

    r = 1 / sqrt(mean(x²) + eps)      y = x r gain      s = 127 / max|y|      step = mean|W|
    out = (round(y s) · round(W / step)ᵀ) step / s
    dy = step (g · trits)      dW = (g / s)ᵀ · levels      then the norm's own gradient
"""
# No `from __future__ import annotations` here: torch reads operator schemas from live annotations.

from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-6
SMALLEST = 1e-5
"""Least absmax of a row and absmean of a matrix, as the released code has it."""


def bit_linear(x: Tensor, gain: Tensor, weight: Tensor, kind: torch.dtype) -> Tensor:
    """[..., K] to [..., M] in `kind`, differentiable in all three tensors.

    x: any float type; gain: [K], the norm's weight; weight: [M, K], latent. Products of the
    backward pass are taken in `kind` too.
    """
    rows = x.reshape(-1, x.shape[-1])
    out: Tensor = _bit_linear(rows, gain, weight, kind)[0]
    return out.view(*x.shape[:-1], weight.shape[0])


def quantise(x: Tensor, gain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows [N, K] to levels int8 [N, K], reciprocal rms [N] and scale [N]."""
    if x.is_cuda:
        from edge_sdk.training import bitlinear_triton as kernels

        return kernels.quantise(x, gain)
    r, y = _normalise(x, gain)
    scale = 127.0 / y.abs().amax(-1).clamp(min=SMALLEST)
    return (y * scale[:, None]).round().clamp(-128, 127).to(torch.int8), r, scale


def dequantised(x: Tensor, gain: Tensor, r: Tensor, scale: Tensor, kind: torch.dtype) -> Tensor:
    """The levels of the forward pass over their scale [N, K], from what it kept."""
    if x.is_cuda:
        from edge_sdk.training import bitlinear_triton as kernels

        return kernels.dequantised(x, gain, r, scale, kind)
    y = x.to(r.dtype) * r[:, None] * gain
    levels = (y * scale[:, None]).round().clamp(-128, 127)
    return (levels / scale[:, None]).to(kind)


def trits_of(weight: Tensor, kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """The matrix in trits, as `kind` [M, K], and its step (a scalar tensor)."""
    step = weight.abs().mean().clamp(min=SMALLEST)
    if weight.is_cuda:
        from edge_sdk.training import bitlinear_triton as kernels

        return kernels.ternarise(weight, step, kind), step
    return (weight / step).round().clamp(-1, 1).to(kind), step


def product(levels: Tensor, trits: Tensor, factor: Tensor, kind: torch.dtype) -> Tensor:
    """(levels · tritsᵀ) · factor as `kind` [N, M]; both int8, factor [N]; sums are exact."""
    if levels.is_cuda:
        from edge_sdk.training import bitlinear_triton as kernels

        return kernels.product(levels, trits, factor, kind)
    # Sums stay below 2 ** 24, which float32 holds exactly.
    wide = torch.promote_types(factor.dtype, torch.float32)
    return (levels.to(wide) @ trits.to(wide).t() * factor[:, None]).to(kind)


def norm_backward(
    dy: Tensor, x: Tensor, gain: Tensor, r: Tensor, step: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of x (its type) and gain, where the gradient of y is dy · step."""
    if x.is_cuda:
        from edge_sdk.training import bitlinear_triton as kernels

        return kernels.norm_backward(dy, x, gain, r, step)
    dy = dy.to(r.dtype) * step
    unit = x.to(r.dtype) * r[:, None]
    inner = dy * gain
    dx = r[:, None] * (inner - unit * (inner * unit).mean(-1, keepdim=True))
    return dx.to(x.dtype), (dy * unit).sum(0).to(gain.dtype)


def weight_gradient(grad: Tensor, inputs: Tensor) -> Tensor:
    """gradᵀ · inputs in float32 at least: [N, M] and [N, K] to [M, K]."""
    wide = torch.promote_types(grad.dtype, torch.float32)
    if grad.is_cuda and grad.dtype != wide:
        from edge_sdk.training import bitlinear_triton as kernels

        return kernels.wide_product(grad.t(), inputs)
    return (grad.t() @ inputs).to(wide)


def _normalise(x: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    r = torch.rsqrt(wide.square().mean(-1) + EPSILON)
    return r, wide * r[:, None] * gain


def _forward(
    x: Tensor, gain: Tensor, weight: Tensor, kind: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    levels, r, scale = quantise(x, gain)
    trits, step = trits_of(weight, torch.int8)
    return product(levels, trits, step / scale, kind), r, scale


def _backward(
    grad: Tensor,
    x: Tensor,
    gain: Tensor,
    weight: Tensor,
    r: Tensor,
    scale: Tensor,
    kind: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    grad = grad.to(kind).contiguous()
    d_weight = weight_gradient(grad, dequantised(x, gain, r, scale, kind)).to(weight.dtype)
    trits, step = trits_of(weight, kind)
    dx, d_gain = norm_backward(grad @ trits, x, gain, r, step)
    return dx, d_gain, d_weight


def _fake_forward(
    x: Tensor, gain: Tensor, weight: Tensor, kind: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    row = x.new_empty(x.shape[0], dtype=torch.promote_types(x.dtype, torch.float32))
    return x.new_empty((x.shape[0], weight.shape[0]), dtype=kind), row, torch.empty_like(row)


def _fake_backward(
    grad: Tensor,
    x: Tensor,
    gain: Tensor,
    weight: Tensor,
    r: Tensor,
    scale: Tensor,
    kind: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    return x.new_empty(x.shape), torch.empty_like(gain), torch.empty_like(weight)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    x, gain, weight, kind = inputs
    ctx.kind = kind
    ctx.save_for_backward(x, gain, weight, output[1], output[2])


def _differentiate(ctx: Any, grad: Tensor, *unused: Tensor) -> tuple[Any, ...]:
    return (*_bit_linear_backward(grad, *ctx.saved_tensors, ctx.kind), None)


_bit_linear: Any = torch.library.custom_op("edge_sdk::bit_linear", _forward, mutates_args=())
_bit_linear_backward: Any = torch.library.custom_op(
    "edge_sdk::bit_linear_backward", _backward, mutates_args=()
)
_bit_linear.register_fake(_fake_forward)
_bit_linear_backward.register_fake(_fake_backward)
_bit_linear.register_autograd(_differentiate, setup_context=_save)
