"""The quantisation-aware MatMul-free LM; its state_dict has the published checkpoints' names.

It knows the network (arXiv 2406.02528 as released) with latent float32 weights and straight-through
gradients; it does not know data, schedules or files.
"""
# mypy: allow-subclassing-any

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from edge_sdk.training.bitlinear import bit_linear
from edge_sdk.training.cross_entropy import head_loss
from edge_sdk.training.recipe import Shape
from edge_sdk.training.scan import mlgru_scan
from edge_sdk.training.vocabulary import EOD

EPSILON = 1e-6
INITIAL_STD = 0.02


class RMSNorm(nn.Module):
    """x / rms(x) * weight over the last axis, in float32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] of any float type to float32 of the same shape."""
        x = x.float()
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON)
        return x * scale * self.weight


class BitLinear(nn.Module):
    """RMSNorm, int8 activations a token, ternary weights a matrix; latent float32 weights.

    The product is taken of the whole numbers themselves, which bfloat16 holds exactly, and scaled
    afterwards, as an integer runtime does it. Gradients pass through both roundings unchanged.
    """

    fused = False
    """Whether one operator does it all (bitlinear.py); its output is in `kind`."""

    def __init__(self, inputs: int, outputs: int, std: float = INITIAL_STD) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * std)
        self.norm = RMSNorm(inputs)

    def forward(self, x: Tensor, kind: torch.dtype) -> Tensor:
        """[..., inputs] to float32 [..., outputs]; the product is computed in `kind`."""
        if self.fused:
            return bit_linear(x, self.norm.weight, self.weight, kind)
        y = self.norm(x)
        scale = 127.0 / y.detach().abs().amax(-1, keepdim=True).clamp(min=1e-5)
        step = self.weight.detach().abs().mean().clamp(min=1e-5)
        levels = _straight_through(y * scale, -128, 127).to(kind)
        trits = _straight_through(self.weight / step, -1, 1).to(kind)
        return functional.linear(levels, trits).float() * (step / scale)


class MLGRU(nn.Module):
    """The token mixer: gates, recurrence, gated output."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d = shape.hidden
        self.i_proj = BitLinear(d, d)
        self.f_proj = BitLinear(d, d)
        self.g_proj = BitLinear(d, d)
        self.o_proj = BitLinear(d, d, _residual_std(shape))
        self.g_norm = RMSNorm(d)

    def forward(self, x: Tensor, bound: Tensor, reset: Tensor, kind: torch.dtype) -> Tensor:
        """Whole windows [B, T, d]; `reset` int32 [B, T] marks document starts."""
        i, f = self.i_proj(x, kind), self.f_proj(x, kind)
        states = mlgru_scan(i.to(kind), f.to(kind), bound, reset)
        return self._output(x, states, kind)

    def step(
        self, x: Tensor, bound: Tensor, state: Tensor, kind: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """One token a row: x and state [B, d] to output and new state."""
        f = bound + (1 - bound) * torch.sigmoid(self.f_proj(x, kind))
        state = f * state + functional.silu(self.i_proj(x, kind)) * (1 - f)
        return self._output(x, state, kind), state

    def _output(self, x: Tensor, states: Tensor, kind: torch.dtype) -> Tensor:
        gated = self.g_norm(self.g_proj(x, kind)) * functional.silu(states)
        out: Tensor = self.o_proj(gated, kind)
        return out


class GLU(nn.Module):
    """The channel mixer: down(SiLU(gate) * up), gate and up in one matrix."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = BitLinear(shape.hidden, 2 * shape.intermediate)
        self.down_proj = BitLinear(shape.intermediate, shape.hidden, _residual_std(shape))

    def forward(self, x: Tensor, kind: torch.dtype) -> Tensor:
        """[..., d] to float32 [..., d]."""
        gate, up = self.gate_proj(x, kind).chunk(2, dim=-1)
        out: Tensor = self.down_proj(functional.silu(gate) * up, kind)
        return out


class Block(nn.Module):
    """MLGRU and GLU, each behind a norm and added to the float32 residual."""

    recompute = "none"
    """What the backward pass computes again instead of keeping it: none, glu or block."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attn_norm = RMSNorm(shape.hidden)
        self.attn = MLGRU(shape)
        self.mlp_norm = RMSNorm(shape.hidden)
        self.mlp = GLU(shape)

    def forward(self, x: Tensor, bound: Tensor, reset: Tensor, kind: torch.dtype) -> Tensor:
        """Whole windows [B, T, d]."""
        x = x + self.attn(self.attn_norm(x), bound, reset, kind)
        if self.recompute == "glu":
            # Nothing is random, so no generator's state is kept (nor could be in a CUDA graph).
            again: Tensor = checkpoint(
                self._channels, x, kind, use_reentrant=False, preserve_rng_state=False
            )
            return again
        return self._channels(x, kind)

    def _channels(self, x: Tensor, kind: torch.dtype) -> Tensor:
        out: Tensor = x + self.mlp(self.mlp_norm(x), kind)
        return out

    def step(
        self, x: Tensor, bound: Tensor, state: Tensor, kind: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """One token a row; returns the residual and the new state."""
        mixed, state = self.attn.step(self.attn_norm(x), bound, state, kind)
        x = x + mixed
        return x + self.mlp(self.mlp_norm(x), kind), state


class Decoder(nn.Module):
    """Embedding, lower bounds, blocks and the final norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(shape.vocabulary, shape.hidden)
        nn.init.normal_(self.embeddings.weight, std=INITIAL_STD)
        self.lower_bounds = nn.Parameter(torch.zeros(shape.layers, shape.hidden))
        self.layers = nn.ModuleList([Block(shape) for _ in range(shape.layers)])
        self.norm = RMSNorm(shape.hidden)

    def bounds(self) -> Tensor:
        """Lower bounds of the forget gates [L, d]: softmax over layers, summed, minus the first."""
        share = self.lower_bounds.softmax(dim=0)
        return share.cumsum(dim=0) - share[0]


class LanguageModel(nn.Module):
    """The whole model; `kind` is the type that matrix products are computed in."""

    def __init__(self, shape: Shape, kind: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.shape = shape
        self.kind = kind
        self.fused = False
        self.model = Decoder(shape)
        self.lm_head = BitLinear(shape.hidden, shape.vocabulary)

    def fuse(self, recompute: str = "none") -> None:
        """Use the fused BitLinear and cross-entropy from now on; `recompute`: see Block."""
        self.fused = True
        for part in self.modules():
            if isinstance(part, BitLinear):
                part.fused = True
            elif isinstance(part, Block):
                part.recompute = recompute

    def forward(self, ids: Tensor) -> Tensor:
        """Logits float32 [B, T, V] of windows of ids [B, T]; the state is zero after <|eod|>."""
        logits: Tensor = self.lm_head(self._hidden(ids), self.kind)
        return logits.float() if self.fused else logits

    def _hidden(self, ids: Tensor) -> Tensor:
        """What the head reads, float32 [B, T, d]."""
        reset = functional.pad((ids[:, :-1] == EOD).int(), (1, 0))
        x = self.model.embeddings(ids)
        bounds = self.model.bounds()
        for index, layer in enumerate(self.model.layers):
            if layer.recompute == "block":
                own = (x, bounds[index], reset, self.kind)
                x = checkpoint(layer, *own, use_reentrant=False, preserve_rng_state=False)
            else:
                x = layer(x, bounds[index], reset, self.kind)
        hidden: Tensor = self.model.norm(x)
        return hidden

    def losses(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy in nats of every target, float32 [B, T]; ids and targets int64 [B, T]."""
        return self.head_losses(self._hidden(ids), targets)

    def head_losses(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """The head and its cross-entropy: float32 [B, T, d] to [B, T]."""
        logits = self.lm_head(hidden, self.kind).float().flatten(0, 1)
        each = functional.cross_entropy(logits, targets.flatten(), reduction="none")
        return each.view_as(targets)

    def loss(self, ids: Tensor, targets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss over the targets that `mask` [B, T] selects, and the loss of every target."""
        if self.fused:
            head = self.lm_head
            return head_loss(
                self._hidden(ids), head.norm.weight, head.weight, targets, mask, self.kind
            )
        each = self.losses(ids, targets)
        weight = mask.float()
        return (each * weight).sum() / weight.sum().clamp(min=1.0), each.detach()

    def zero_state(self, rows: int) -> list[Tensor]:
        """The states before the first token: L tensors float32 [rows, d]."""
        weight = self.model.embeddings.weight
        return [weight.new_zeros(rows, self.shape.hidden) for _ in range(self.shape.layers)]

    def step(self, ids: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Logits [B, V] after one more token a row, ids int64 [B], and the new states."""
        x = self.model.embeddings(ids)
        bounds = self.model.bounds()
        after = []
        for index, layer in enumerate(self.model.layers):
            x, state = layer.step(x, bounds[index], states[index], self.kind)
            after.append(state)
        return self.lm_head(self.model.norm(x), self.kind), after

    def ternary_weights(self) -> list[Tensor]:
        """The latent matrices that are stored as trits; weight decay acts on these alone."""
        return [part.weight for part in self.modules() if isinstance(part, BitLinear)]


def _straight_through(x: Tensor, low: int, high: int) -> Tensor:
    """x rounded half to even and clamped, with the gradient of x itself."""
    return x + (x.round().clamp(low, high) - x).detach()


def _residual_std(shape: Shape) -> float:
    return INITIAL_STD / math.sqrt(2 * shape.layers)
