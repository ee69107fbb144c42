"""The MLGRU scan against a plain loop, forward and backward."""
# What follows the checks for torch can only be imported if they pass.
# ruff: noqa: E402

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from edge_sdk.training.scan import loop_forward, mlgru_scan


def _inputs(rows: int, steps: int, width: int, **kind: Any) -> tuple[Any, Any, Any, Any]:
    generator = torch.Generator().manual_seed(5)
    candidate = torch.randn(rows, steps, width, generator=generator).to(**kind)
    forget = torch.randn(rows, steps, width, generator=generator).to(**kind)
    bound = torch.rand(width, generator=generator).to(**kind)
    reset = (torch.rand(rows, steps, generator=generator) < 0.3).int().to(kind.get("device"))
    for tensor in (candidate, forget, bound):
        tensor.requires_grad_()
    return candidate, forget, bound, reset


def test_analytic_gradients_agree_with_finite_differences() -> None:
    assert torch.autograd.gradcheck(mlgru_scan, _inputs(2, 5, 3, dtype=torch.float64))


def test_analytic_gradients_agree_with_autograd() -> None:
    inputs = _inputs(3, 17, 8, dtype=torch.float64)
    oracle, scan = loop_forward(*inputs), mlgru_scan(*inputs)
    weight = torch.randn(oracle.shape, dtype=torch.float64)
    wanted = torch.autograd.grad((oracle * weight).sum(), inputs[:3])
    found = torch.autograd.grad((scan * weight).sum(), inputs[:3])
    torch.testing.assert_close(scan, oracle)
    torch.testing.assert_close(found, wanted)


def test_reset_forgets_everything_before() -> None:
    candidate, forget, bound, reset = _inputs(1, 9, 4, dtype=torch.float64)
    reset[:] = 0
    reset[0, 6] = 1
    whole = mlgru_scan(candidate, forget, bound, reset)
    tail = mlgru_scan(candidate[:, 6:], forget[:, 6:], bound, torch.zeros_like(reset[:, 6:]))
    torch.testing.assert_close(whole[:, 6:], tail)


def test_operator_is_fit_for_compilation() -> None:
    torch.library.opcheck(torch.ops.edge_sdk.mlgru_scan, _inputs(2, 4, 3, dtype=torch.float32))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the Triton kernels need CUDA")
@pytest.mark.parametrize("width", [128, 100])
def test_triton_kernels_agree_with_the_loop(width: int) -> None:
    inputs = _inputs(3, 37, width, dtype=torch.float32, device="cuda")
    oracle, scan = loop_forward(*inputs), mlgru_scan(*inputs)
    weight = torch.randn(oracle.shape, device="cuda")
    wanted = torch.autograd.grad((oracle * weight).sum(), inputs[:3])
    found = torch.autograd.grad((scan * weight).sum(), inputs[:3])
    torch.testing.assert_close(scan, oracle, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
