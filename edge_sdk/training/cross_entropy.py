"""The fused output layer and cross-entropy: logits of some rows at a time, never of all.

It knows the BitLinear head and the loss; it does not know layers or data. A row's gradient follows
from its logits at once, so it is computed where they are, in the forward pass, and the backward
pass only scales it: logits [N, V] are neither kept nor computed twice.
"""
# No `from __future__ import annotations` here: torch reads operator schemas from live annotations.

from typing import Any

import torch
from torch import Tensor

from edge_sdk.training.bitlinear import (
    dequantised,
    norm_backward,
    product,
    quantise,
    trits_of,
    weight_gradient,
)

LOGITS = 1 << 26
"""Logits held at a time (256 MiB as float32)."""


def head_loss(
    x: Tensor, gain: Tensor, weight: Tensor, targets: Tensor, mask: Tensor, kind: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Mean loss over the targets that `mask` selects, and the loss of every target, in nats.

    x: [..., K], the head's input; gain [K] and weight [V, K]: the head; targets int64 [...];
    mask: [...] of any type, its numbers weigh the targets. Only the mean is differentiable.
    """
    weights = mask.reshape(-1).to(torch.promote_types(x.dtype, torch.float32))
    weights = weights / weights.sum().clamp(min=1.0)
    rows = x.reshape(-1, x.shape[-1])
    mean, each, *_ = _head_loss(rows, gain, weight, targets.reshape(-1), weights, kind)
    return mean, each.view(targets.shape).detach()


def _forward(
    x: Tensor, gain: Tensor, weight: Tensor, targets: Tensor, weights: Tensor, kind: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    trits, step = trits_of(weight, torch.int8)
    wide = torch.promote_types(x.dtype, torch.float32)
    trits_wide = trits.to(kind)
    each = x.new_empty(x.shape[0], dtype=wide)
    dx, d_gain = torch.empty_like(x), torch.zeros_like(gain)
    d_weight = torch.zeros_like(weight, dtype=wide)
    part = max(128, LOGITS // weight.shape[0] // 128 * 128)
    for start in range(0, x.shape[0], part):
        own = slice(start, start + part)
        rows = x[own].contiguous()
        levels, r, scale = quantise(rows, gain)
        logits = product(levels, trits, step / scale, wide)
        each[own], grad = _losses(logits, targets[own], weights[own], kind)
        d_weight += weight_gradient(grad, dequantised(rows, gain, r, scale, kind))
        dx[own], more = norm_backward(grad @ trits_wide, rows, gain, r, step)
        d_gain += more
    mean = (each * weights).sum()
    return mean, each, dx, d_gain, d_weight.to(weight.dtype)


def _losses(
    logits: Tensor, targets: Tensor, weights: Tensor, kind: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Nats of each row, and the gradient of the logits in `kind`; overwrites `logits`."""
    total = logits.logsumexp(-1)
    index = targets[:, None]
    each = total - logits.gather(1, index)[:, 0]
    share = logits.sub_(total[:, None]).exp_()
    share.scatter_add_(1, index, torch.full_like(index, -1, dtype=share.dtype))
    return each, share.mul_(weights[:, None]).to(kind)


def _fake_forward(
    x: Tensor, gain: Tensor, weight: Tensor, targets: Tensor, weights: Tensor, kind: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    wide = torch.promote_types(x.dtype, torch.float32)
    return (
        x.new_empty((), dtype=wide),
        x.new_empty(x.shape[0], dtype=wide),
        x.new_empty(x.shape),
        torch.empty_like(gain),
        torch.empty_like(weight),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*output[2:])


def _differentiate(ctx: Any, grad: Tensor, *unused: Tensor) -> tuple[Any, ...]:
    dx, d_gain, d_weight = ctx.saved_tensors
    return (dx * grad.to(dx.dtype), d_gain * grad, d_weight * grad, None, None, None)


_head_loss: Any = torch.library.custom_op("edge_sdk::head_loss", _forward, mutates_args=())
_head_loss.register_fake(_fake_forward)
_head_loss.register_autograd(_differentiate, setup_context=_save)
