"""The forward pass of the MatMul-free LM in tinygrad ops: the oracle for every faster path.

It knows the mathematics of arXiv 2406.02528 as the released checkpoints define it and the 2-bit
planar weight layout; it does not know devices, files, sessions or compiled programs.

Shapes: T tokens of one chunk, d hidden, I intermediate, V vocabulary, L layers. Activations and
state are float32; products of int8 activations and ternary weights are summed in int32, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinygrad import Tensor, dtypes

from edge_sdk.ternary import planes2_shape

INNER_EPS = 1e-6
"""The released kernels normalise inside BitLinear with this, whatever the module declares."""


@dataclass(frozen=True)
class Block:
    """The weights of one layer, cut out of two buffers so that one program serves every layer.

    The matrices are uint8 [..., ceil(out/4), ceil(in/256), 4, 64], edge_sdk.ternary.pack2's layout.
    """

    ifg: Tensor
    """The three projections of the token mixer, stacked: uint8 [3, d/4, d/256, 4, 64]."""
    o: Tensor
    gate: Tensor
    down: Tensor
    ifg_norm: Tensor
    """float32 [3, 1, d]: each projection has inner norm weights of its own."""
    attn_norm: Tensor
    g_norm: Tensor
    o_norm: Tensor
    mlp_norm: Tensor
    gate_norm: Tensor
    down_norm: Tensor
    bound: Tensor
    """float32 [d]: lower bound of the forget gate; zero in layer 0."""
    steps: Tensor
    """float32 [6]: the scale of i, f, g, o, gate and down."""

    @classmethod
    def cut(cls, planes: Tensor, vectors: Tensor, d: int, i: int) -> Block:
        """Cut a layer's weights out of its planes (uint8, flat) and vectors (float32, flat)."""
        square, up, back = planes2_shape((d, d)), planes2_shape((2 * i, d)), planes2_shape((d, i))
        at = _Cursor(planes)
        ifg, o = at.take(3, *square), at.take(*square)
        gate, down = at.take(*up), at.take(*back)
        at = _Cursor(vectors)
        return cls(
            ifg=ifg,
            o=o,
            gate=gate,
            down=down,
            ifg_norm=at.take(3, 1, d),
            attn_norm=at.take(d),
            g_norm=at.take(d),
            o_norm=at.take(d),
            mlp_norm=at.take(d),
            gate_norm=at.take(d),
            down_norm=at.take(i),
            bound=at.take(d),
            steps=at.take(6),
        )


VECTOR_ORDER = (
    "attn.i_proj.norm",
    "attn.f_proj.norm",
    "attn.g_proj.norm",
    "attn_norm",
    "attn.g_norm",
    "attn.o_proj.norm",
    "mlp_norm",
    "mlp.gate_proj.norm",
    "mlp.down_proj.norm",
)
"""A layer's norm vectors in the order in which `Block.cut` takes them; bound and steps follow."""

MATRIX_ORDER = (
    "attn.i_proj",
    "attn.f_proj",
    "attn.g_proj",
    "attn.o_proj",
    "mlp.gate_proj",
    "mlp.down_proj",
)
"""A layer's matrices in the order in which `Block.cut` takes them, and the file stores them."""


class _Cursor:
    """Takes shaped pieces off a flat tensor, one after the other."""

    def __init__(self, flat: Tensor) -> None:
        self.flat, self.at = flat, 0

    def take(self, *shape: int) -> Tensor:
        size = 1
        for extent in shape:
            size *= extent
        piece: Tensor = self.flat[self.at : self.at + size].reshape(shape)
        self.at += size
        return piece


def normalise(x: Tensor, eps: float) -> Tensor:
    """x / sqrt(mean(x^2) + eps) over the last axis: RMSNorm without its weight."""
    return x * (x.square().mean(axis=-1, keepdim=True) + eps).rsqrt()


def quantise(y: Tensor) -> tuple[Tensor, Tensor]:
    """absmax quantisation of each row (paper eq. 4): float32 [..., n] -> int8 [..., n], [..., 1].

    The second value is what one integer step is worth. Halves round to even; -128 cannot occur.
    """
    largest = y.abs().max(axis=-1, keepdim=True).maximum(1e-5)
    q = (y * (127.0 / largest)).round().cast(dtypes.int8)
    # Without this the matrix kernel would quantise its whole input again for every row.
    return q.contiguous(), largest / 127.0


def ternary_matmul(q: Tensor, planes: Tensor, rows: int) -> Tensor:
    """Exact sums of int8 activations times trits: int8 [..., T, in] -> int32 [..., T, rows].

    planes: uint8 [..., ceil(rows/4), ceil(in/256), 4, 64]. The trits stay packed: each plane is
    masked where it lies, which gives digit * 4^s; the digit is trit + 1, so 4^s is taken off; the
    plane is summed in int32 on its own and shifted down once. |sum| <= 127 * in * 64 fits int32.
    """
    *batch, tokens, width = q.shape
    groups, blocks = planes.shape[-4:-2]
    padding = [(0, 0)] * (len(batch) + 1) + [(0, blocks * 256 - width)]
    x = q.cast(dtypes.int32).pad(tuple(padding)).reshape(*batch, tokens, 1, blocks, 4, 64)
    packed = planes.cast(dtypes.int32).reshape(*batch, 1, groups, blocks, 4, 64)
    total: Tensor | None = None
    for plane in range(4):
        weight = (packed & (3 << 2 * plane)) - (1 << 2 * plane)
        part = (weight * x[..., plane : plane + 1, :]).sum(axis=(-3, -1)).rshift(2 * plane)
        total = part if total is None else total + part
    assert total is not None
    return total.reshape(*batch, tokens, groups * 4)[..., :rows]


def bit_linear(x: Tensor, planes: Tensor, norm: Tensor, step: Tensor, rows: int) -> Tensor:
    """BitLinear (paper Algorithm 1, RMS only): float32 [..., T, in] -> [..., T, rows]."""
    q, worth = quantise(normalise(x, INNER_EPS) * norm)
    return ternary_matmul(q, planes, rows).cast(dtypes.float32) * (step * worth)


def recurrence(forget: Tensor, update: Tensor, hidden: Tensor) -> Tensor:
    """h_t = f_t * h_{t-1} + c_t for a chunk: float32 [T, d], [T, d], [d] -> all h_t [T, d].

    Pairs (f, c) compose associatively, so ceil(log2 T) doubling steps give every prefix.
    """
    tokens = int(forget.shape[0])
    factor, total = forget, update
    stride = 1
    while stride < tokens:
        earlier_total = total.pad(((stride, 0), (0, 0)))[:tokens]
        earlier_factor = factor.pad(((stride, 0), (0, 0)), value=1.0)[:tokens]
        total, factor = factor * earlier_total + total, factor * earlier_factor
        total, factor = total.contiguous(), factor.contiguous()
        stride *= 2
    return factor * hidden + total


def mlgru(
    x: Tensor, hidden: Tensor, live: Tensor, block: Block, eps: float
) -> tuple[Tensor, Tensor]:
    """The token mixer (paper sec. 3.3): float32 [T, d], [d] -> (output [T, d], every state [T, d]).

    live: float32 [T, 1], 1 for a token and 0 for padding, which leaves the state as it is.
    """
    d = int(x.shape[-1])
    normed = normalise(x, eps) * block.attn_norm
    steps = block.steps[:3].reshape(3, 1, 1)
    # i, f and g share the input, not the inner norm weights: three quantised vectors, one kernel.
    ifg = bit_linear(normed.unsqueeze(0), block.ifg, block.ifg_norm, steps, d).contiguous()
    forget = block.bound + (1.0 - block.bound) * ifg[1].sigmoid()
    update = ifg[0].silu() * (1.0 - forget) * live
    states = recurrence(forget * live + (1.0 - live), update, hidden).contiguous()
    gated = normalise(ifg[2], eps) * block.g_norm * states.silu()
    return bit_linear(gated, block.o, block.o_norm, block.steps[3], d), states


def glu(x: Tensor, block: Block, eps: float) -> Tensor:
    """The channel mixer (paper sec. 3.4): float32 [T, d] -> [T, d]."""
    width = int(block.down_norm.shape[0])
    normed = normalise(x, eps) * block.mlp_norm
    both = bit_linear(normed, block.gate, block.gate_norm, block.steps[4], 2 * width).contiguous()
    gated = both[:, :width].silu() * both[:, width:]
    return bit_linear(gated, block.down, block.down_norm, block.steps[5], int(x.shape[-1]))


def layer(
    x: Tensor, hidden: Tensor, live: Tensor, block: Block, eps: float
) -> tuple[Tensor, Tensor]:
    """One block: residual [T, d] and state [d] in; residual [T, d] and last state [d] out."""
    mixed, states = mlgru(x, hidden, live, block, eps)
    x = (x + mixed).contiguous()
    return x + glu(x, block, eps), states[-1]


def head(
    x: Tensor, norm: Tensor, planes: Tensor, inner: Tensor, step: Tensor, rows: int, eps: float
) -> Tensor:
    """Logits of residuals: float32 [T, d] -> [T, V]. Both norms, outer and inner, are applied."""
    return bit_linear(normalise(x, eps) * norm, planes, inner, step, rows)
