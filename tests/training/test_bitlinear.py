"""The fused BitLinear and cross-entropy against the plain ones and float64 autograd."""
# What follows the checks for torch can only be imported if they pass.
# ruff: noqa: E402

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from edge_sdk.training.bitlinear import bit_linear, product, quantise, trits_of
from edge_sdk.training.cross_entropy import head_loss
from edge_sdk.training.model import BitLinear, LanguageModel
from edge_sdk.training.recipe import Shape


def _layer(inputs: int, outputs: int, kind: Any) -> BitLinear:
    torch.manual_seed(3)
    layer: BitLinear = BitLinear(inputs, outputs).to(kind)
    with torch.no_grad():
        layer.norm.weight.uniform_(0.5, 1.5)
    return layer


def _plain(layer: BitLinear, x: Any) -> Any:
    """The unfused formula in x's own type; the model's norm computes in float32."""
    y = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * layer.norm.weight
    scale = 127.0 / y.detach().abs().amax(-1, keepdim=True).clamp(min=1e-5)
    step = layer.weight.detach().abs().mean().clamp(min=1e-5)
    levels, trits = y * scale, layer.weight / step
    levels = levels + (levels.round().clamp(-128, 127) - levels).detach()
    trits = trits + (trits.round().clamp(-1, 1) - trits).detach()
    return levels @ trits.t() * (step / scale)


@pytest.mark.parametrize("shape", [(7, 24, 16), (1, 8, 40), (33, 130, 5)])
def test_gradients_equal_those_of_autograd_in_float64(shape: tuple[int, int, int]) -> None:
    rows, inputs, outputs = shape
    layer = _layer(inputs, outputs, torch.float64)
    x = torch.randn(rows, inputs, dtype=torch.float64, requires_grad=True)
    weigh = torch.randn(rows, outputs, dtype=torch.float64)
    tensors = (x, layer.norm.weight, layer.weight)
    oracle = _plain(layer, x)
    fused = bit_linear(x, layer.norm.weight, layer.weight, torch.float64)
    torch.testing.assert_close(fused, oracle, rtol=1e-12, atol=1e-12)
    wanted = torch.autograd.grad((oracle * weigh).sum(), tensors)
    found = torch.autograd.grad((fused * weigh).sum(), tensors)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


def test_forward_is_the_integer_product_then_one_scale() -> None:
    layer = _layer(64, 48, torch.float32)
    x = torch.randn(5, 64)
    levels, _, scale = quantise(x, layer.norm.weight)
    trits, step = trits_of(layer.weight, torch.int8)
    sums = levels.long() @ trits.long().t()
    assert levels.dtype == trits.dtype == torch.int8
    assert int(levels.abs().amax()) == 127 and set(trits.unique().tolist()) == {-1, 0, 1}
    torch.testing.assert_close(
        product(levels, trits, step / scale, torch.float32),
        sums.float() * (step / scale)[:, None],
        rtol=0,
        atol=0,
    )


def test_zero_rows_and_outliers_stay_finite() -> None:
    layer = _layer(32, 16, torch.float32)
    x = torch.zeros(3, 32)
    x[1, 4] = 1e4
    x.requires_grad_()
    out = bit_linear(x, layer.norm.weight, layer.weight, torch.float32)
    out.sum().backward()
    assert torch.isfinite(out).all() and torch.isfinite(x.grad).all()
    assert not out[0].any()


@pytest.mark.parametrize("chunk", [128 * 40, 1])
def test_chunked_loss_equals_the_plain_one(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.training.cross_entropy.LOGITS", chunk)
    layer = _layer(24, 40, torch.float64)
    x = torch.randn(2, 150, 24, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(40, (2, 150))
    mask = (torch.rand(2, 150) < 0.6).to(torch.uint8)
    tensors = (x, layer.norm.weight, layer.weight)
    logits = _plain(layer, x).flatten(0, 1)
    each = torch.nn.functional.cross_entropy(logits, targets.flatten(), reduction="none")
    wanted = (each * mask.flatten()).sum() / mask.sum()
    mean, nats = head_loss(x, layer.norm.weight, layer.weight, targets, mask, torch.float64)
    torch.testing.assert_close(mean, wanted)
    torch.testing.assert_close(nats.flatten(), each)
    torch.testing.assert_close(
        torch.autograd.grad(3 * mean, tensors), torch.autograd.grad(3 * wanted, tensors)
    )


@pytest.mark.parametrize("recompute", ["none", "glu", "block"])
def test_whole_model_has_the_gradients_of_the_plain_one(recompute: str) -> None:
    torch.manual_seed(0)
    model = LanguageModel(Shape(hidden=32, layers=2, vocabulary=40))
    ids, targets = torch.randint(4, 40, (2, 2, 12)).unbind()
    mask = torch.ones(2, 12)
    plain, each = model.loss(ids, targets, mask)
    wanted = torch.autograd.grad(plain, list(model.parameters()))
    model.fuse(recompute)
    fused, again = model.loss(ids, targets, mask)
    found = torch.autograd.grad(fused, list(model.parameters()))
    torch.testing.assert_close(fused, plain)
    torch.testing.assert_close(again, each)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-5)


def test_operators_are_fit_for_compilation() -> None:
    layer = _layer(8, 6, torch.float32)
    x = torch.randn(5, 8, requires_grad=True)
    given = (x, layer.norm.weight, layer.weight, torch.float32)
    torch.library.opcheck(torch.ops.edge_sdk.bit_linear, given)
    more = (*given[:3], torch.randint(6, (5,)), torch.full((5,), 0.2), torch.float32)
    torch.library.opcheck(torch.ops.edge_sdk.head_loss, more)


def test_kernels_agree_with_torch_in_triton_s_interpreter() -> None:
    pytest.importorskip("triton", reason="the kernels need Triton")
    if torch.cuda.is_available():
        pytest.skip("the kernels run on the GPU here")
    # A process of its own: Triton reads the variable when it is imported.
    script = Path(__file__).with_name("interpreted_kernels.py")
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="the Triton kernels need CUDA")
@pytest.mark.parametrize("width", [128, 1000])
def test_kernels_agree_with_torch_on_a_gpu(width: int) -> None:
    layer = _layer(width, 256, torch.float32)
    x = torch.randn(70, width)
    weigh = torch.randn(70, 256)
    results = []
    for device in ("cpu", "cuda"):
        tensors = [t.detach().to(device).requires_grad_() for t in (x, *layer.parameters())]
        inputs, weight, gain = tensors
        out = bit_linear(inputs, gain, weight, torch.float32)
        grads = torch.autograd.grad((out * weigh.to(device)).sum(), tensors)
        results.append([out.detach().cpu(), *(grad.cpu() for grad in grads)])
    for oracle, found in zip(*results, strict=True):
        # A value near a rounding edge may fall on its other side: one level of 127.
        torch.testing.assert_close(found, oracle, rtol=2e-2, atol=2e-2)
