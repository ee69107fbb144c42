"""Runs the Triton kernels on the CPU and compares them with torch; ends in an error if they differ.

Started by test_bitlinear.py with TRITON_INTERPRET=1.
"""

from __future__ import annotations

import torch

from edge_sdk.training import bitlinear
from edge_sdk.training import bitlinear_triton as kernels


def close(found: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(found.double(), wanted.double(), rtol=1e-5, atol=1e-5)


def main() -> None:
    torch.manual_seed(1)
    x, gain = torch.randn(19, 40), torch.rand(40) + 0.5
    weight, dy = torch.randn(24, 40) * 0.02, torch.randn(19, 40)
    levels, r, scale = bitlinear.quantise(x, gain)
    found = kernels.quantise(x, gain)
    close(found[1], r)
    close(found[2], scale)
    assert (found[0].int() - levels.int()).abs().max() <= 1
    assert (found[0] == levels).float().mean() > 0.99
    close(
        kernels.dequantised(x, gain, r, scale, torch.float32),
        bitlinear.dequantised(x, gain, r, scale, torch.float32),
    )
    trits, step = bitlinear.trits_of(weight, torch.int8)
    assert torch.equal(kernels.ternarise(weight, step, torch.int8), trits)
    factor = step / scale
    close(
        kernels.product(levels, trits, factor, torch.float32),
        bitlinear.product(levels, trits, factor, torch.float32),
    )
    for one, other in zip(
        kernels.norm_backward(dy, x, gain, r, step),
        bitlinear.norm_backward(dy, x, gain, r, step),
        strict=True,
    ):
        close(one, other)


if __name__ == "__main__":
    main()
