"""The C kernels piece by piece against NumPy: integers exactly, floats closely, on every tier."""

from __future__ import annotations

import ctypes
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.devices.tinygrad import engine, prebuilt
from edge_sdk.devices.tinygrad.compiler import cpu_features
from edge_sdk.devices.tinygrad.structures import Matrix, ModelTable, Op, Work
from edge_sdk.ternary import FIVE, TWO
from tests.devices.tinygrad import emulated

NEEDS = {"dot_vnni.c": "avx512_vnni", "dot_avx2.c": "avx2", "dot_neon.c": "asimd"}
"""Tier -> the processor's word for what it needs; portable C needs nothing."""
FEATURES = cpu_features().split()
RUNNABLE = (*(tier for tier, word in NEEDS.items() if word in FEATURES), "dot_scalar.c")


def load(tiers: tuple[str, ...]) -> Any:
    from edge_sdk.devices.tinygrad.kernels import load_kernels

    return load_kernels(tiers)


def load_in_c(name: str) -> Any:
    """A tier for instructions that this processor may lack, with their meaning spelled out in C.

    "avx2" is the tier that a processor takes which has no more than that.
    """
    from edge_sdk.devices.tinygrad.kernels import load_source
    from edge_sdk.devices.tinygrad.native import source

    if name == "avx2":
        return load_source("#undef __AVXVNNI__\n" + source(("dot_avx2.c",)))
    header = (Path(__file__).parent / f"{name}_in_c.h").read_text()
    if name == "avx512":
        text = source(("dot_vnni.c",)).replace("#include <immintrin.h>", "")
        return load_source(text.replace("#if !defined(TIER)", header + "\n#if !defined(TIER)", 1))
    include = "#include <immintrin.h>\n"
    return load_source(source(("dot_avx2.c",)).replace(include, include + header))


IN_C = {"avx512": "AVX512-VNNI"}
if "avx2" in FEATURES:
    IN_C |= {"avxvnni": "AVX-VNNI", "avx2": "AVX2"}
EMULATED = emulated.PROCESSORS if emulated.emulator() and emulated.compilers() else ()


SHIPPED = {
    entry.name: entry
    for entry in prebuilt.read_manifest()[1]
    if prebuilt.choose_object(platform.machine(), cpu_features(), [entry])
}
"""The prebuilt objects that this processor runs."""


@pytest.fixture(scope="session")
def shared_memory(tmp_path_factory: pytest.TempPathFactory) -> emulated.Memory:
    """What this process and the emulated programs both see."""
    return emulated.Memory(tmp_path_factory.mktemp("emulated") / "memory")


def build_emulated(tier: str, folder: Path) -> Path:
    from edge_sdk.devices.tinygrad.native import source

    return emulated.build(source(), emulated.PROCESSORS[tier], folder)


@pytest.fixture(scope="session", params=[*RUNNABLE, *IN_C, *SHIPPED, *EMULATED])
def kernels(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Each tier that this processor runs, loaded alone, the logic of some that it may lack, what is
    shipped, and the tiers of another processor under emulation."""
    if request.param in EMULATED:
        program = build_emulated(request.param, tmp_path_factory.mktemp("program"))
        memory = request.getfixturevalue("shared_memory")
        with emulated.running(program, memory) as found:
            assert found.tier == request.param
            yield found
        return
    if request.param in SHIPPED:
        yield prebuilt.load_object(SHIPPED[request.param])
        return
    if request.param in IN_C:
        found = engine.run(load_in_c, request.param)
        assert found.tier == IN_C[request.param]
        yield found
        return
    portable = request.param == "dot_scalar.c"
    found = engine.run(load, (request.param,) if portable else (request.param, "dot_scalar.c"))
    assert (found.tier == "portable C") == portable
    yield found


# Widths around whole blocks of 256 and of 320, a remainder of every size, one row, many.
SHAPES = [(1, 1), (7, 300), (4, 256), (5, 1024), (6, 1300), (3, 6912), (513, 64), (4096, 512)]
SHAPES += [(5, width) for width in (64, 65, 192, 257, 319, 320, 321, 400, 577, 960, 2560)]


@pytest.mark.parametrize(("rows", "width"), SHAPES)
@pytest.mark.parametrize("tokens", [1, 4, 7])
@pytest.mark.parametrize("encoding", [TWO, FIVE])
def test_int32_accumulators_equal_numpy(
    kernels: Any, rows: int, width: int, tokens: int, encoding: str
) -> None:
    from edge_sdk.devices.tinygrad.self_test import accumulate

    rng = np.random.default_rng(rows * width + tokens)
    trits = rng.integers(-1, 2, (rows, width)).astype(np.int8)
    q = rng.integers(-127, 128, (tokens, width)).astype(np.int8)
    found = accumulate(kernels, q, trits, encoding)
    assert np.array_equal(found, q.astype(np.int64) @ trits.T)


@pytest.mark.parametrize("width", [256, 6912, 1 << 16, 1 << 19])
@pytest.mark.parametrize("encoding", [TWO, FIVE])
def test_int32_accumulators_at_the_extremes(kernels: Any, width: int, encoding: str) -> None:
    """Saturated and zero activations against rows of one sign: the largest sums there are."""
    from edge_sdk.devices.tinygrad.self_test import accumulate

    signs = np.array([[1], [-1], [0]], np.int8)
    trits = np.broadcast_to(signs, (3, width)).copy()
    q = np.concatenate([127 * signs, 127 * signs[:2]]).repeat(width, axis=1).astype(np.int8)
    expected = q.astype(np.int64) @ trits.T
    assert np.array_equal(accumulate(kernels, q, trits, encoding), expected)
    for token in range(len(q)):
        one = slice(token, token + 1)
        assert np.array_equal(accumulate(kernels, q[one], trits, encoding), expected[one])


def quantise(kernels: Any, y: np.ndarray, norm: np.ndarray) -> tuple[np.ndarray, int, float]:
    from edge_sdk.devices.tinygrad.fast_model import zeros

    padded = -(-len(y) // 256) * 256
    source, weights = zeros((padded,), np.float32), zeros((padded,), np.float32)
    # What lies past the end must not count.
    source[:], weights[:] = 1e6, 1.0
    source[: len(y)], weights[: len(y)] = y, norm
    target = zeros((padded + 8,), np.uint8)
    table = ModelTable(head=Matrix(norm=weights.ctypes.data))
    work = Work(op=Op.QUANTISE, count=len(y), model=ctypes.pointer(table))
    work.source, work.target = source.ctypes.data, target.ctypes.data
    kernels.call(ctypes.byref(work))
    total = int(target[padded : padded + 4].view(np.int32)[0])
    return target[:padded].view(np.int8), total, float(target[padded + 4 :].view(np.float32)[0])


def test_quantise_rounds_halves_to_even_and_never_gives_minus_128(kernels: Any) -> None:
    y = np.array([127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -127.0, 126.5], np.float32)
    q, total, worth = quantise(kernels, y, np.ones(8))
    assert q[:8].tolist() == [127, 0, 2, 2, 0, -2, -127, 126]
    assert not q[8:].any()
    assert (total, worth) == (128, 1.0)


@pytest.mark.parametrize("size", [1, 15, 16, 17, 255, 300])
def test_quantise_equals_numpy(kernels: Any, size: int) -> None:
    rng = np.random.default_rng(size)
    y, norm = rng.standard_normal((2, size)).astype(np.float32)
    q, total, worth = quantise(kernels, y, norm)
    weighed = y * norm
    largest = np.abs(weighed).max()
    expected = np.rint(weighed * (np.float32(127) / largest))
    assert np.array_equal(q[:size], expected)
    assert total == int(expected.sum())
    assert worth == largest / np.float32(127)


def test_quantise_of_zeros_is_zero(kernels: Any) -> None:
    q, total, worth = quantise(kernels, np.zeros(40, np.float32), np.ones(40))
    assert not q.any()
    assert total == 0
    assert 0 < worth < 1e-6


def test_exp_sigmoid_and_silu(kernels: Any) -> None:
    from edge_sdk.devices.tinygrad.fast_model import zeros

    values = np.concatenate([np.linspace(-90, 90, 4001), np.linspace(-2, 2, 4000), [0.0] * 15])
    x = zeros((8016,), np.float32)
    x[:] = values
    out = zeros((3, len(x)), np.float32)
    work = Work(op=Op.ACTIVATE, count=len(x), source=x.ctypes.data, target=out.ctypes.data)
    kernels.call(ctypes.byref(work))
    wide = x.astype(np.float64)
    exponential = np.exp(np.clip(wide, -80, 80))
    sigmoid = 1 / (1 + np.exp(-np.clip(wide, -80, 80)))
    assert np.abs(out[0] / exponential - 1).max() < 2e-7
    assert np.abs(out[1] / sigmoid - 1).max() < 4e-7
    assert np.abs(out[2] - wide * sigmoid).max() < 4e-7 * 90


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_self_test_passes(kernels: Any, threads: int) -> None:
    from edge_sdk.devices.tinygrad.self_test import check_kernels

    check_kernels(kernels, threads)


def test_the_self_test_model_is_far_from_every_half_step() -> None:
    from edge_sdk.devices.tinygrad import self_test

    x, start = self_test.tiny_inputs()
    assert self_test.TinyModel().forward(x, start)[2] > 1e-3


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize("encoding", [TWO, FIVE])
def test_tiers_give_the_same_bits(kernels: Any, encoding: str, threads: int) -> None:
    """Whole tokens, alone and in a prompt, with any number of threads: portable C's bits."""
    from edge_sdk.config import ModelConfig
    from edge_sdk.devices.tinygrad import self_test

    class Wide(self_test.TinyModel):
        # Rows with whole blocks of 256 and of 320 columns, and a rest of each.
        config = ModelConfig(vocab_size=201, hidden_size=394, num_layers=1, intermediate_size=698)

    model, rng = Wide(encoding), np.random.default_rng(threads)
    x = rng.normal(size=(7, model.config.hidden_size)).astype(np.float32)
    x[3] = 0
    state = rng.normal(size=model.config.hidden_size).astype(np.float32)
    portable = engine.run(load, ("dot_scalar.c",))
    expected = self_test.run_tiny(portable, model, x, state, 1)
    prompt = self_test.run_tiny(kernels, model, x, state, threads)
    assert np.array_equal(prompt[0], expected[0])
    assert np.array_equal(prompt[1], expected[1])
    for token in range(len(x)):
        alone, state = self_test.run_tiny(kernels, model, x[token : token + 1], state, threads)
        assert np.array_equal(alone[0], expected[0][token])
    assert np.array_equal(state, expected[1])


@pytest.mark.parametrize("tier", emulated.PROCESSORS)
def test_neon_runs_under_emulation(tier: str, tmp_path: Path) -> None:
    """Compiled and linked for aarch64 wherever that is possible; above, all tests run it."""
    build_emulated(tier, tmp_path)
    if emulated.emulator() is None:
        pytest.skip(f"{tier} was compiled and not run: qemu-aarch64 is not installed")


TARGETS = {
    "VNNI": "-target x86_64-freestanding-none -mcpu=x86_64_v4+avx512vnni",
    "AVX-VNNI": "-target x86_64-freestanding-none -mcpu=alderlake",
    "AVX2": "-target x86_64-freestanding-none -mcpu=x86_64_v3",
    "baseline x86-64": "-target x86_64-freestanding-none -mcpu=x86_64",
    "NEON": "-target aarch64-freestanding-none -mcpu=cortex_a72",
    "NEON dot product": "-target aarch64-freestanding-none -mcpu=cortex_a76",
    "baseline RISC-V": "-target riscv64-freestanding-none",
}


@pytest.mark.parametrize("target", TARGETS)
def test_every_tier_compiles_to_an_object_that_the_loader_takes(
    target: str, tmp_path: Path
) -> None:
    """No undefined symbol, nothing zero-initialised, and the entry is the first byte of code."""
    ziglang = pytest.importorskip("ziglang")
    from edge_sdk.devices.tinygrad.native import source

    text = engine.run(source)
    zig = Path(ziglang.__file__).parent / "zig"
    options = (
        f"{TARGETS[target]} -c -x c -O2 -fPIC -ffreestanding -fno-math-errno -nostdlib -g0 "
        "-fno-sanitize=all -fno-stack-protector -fno-asynchronous-unwind-tables "
        "-Wall -Wextra -Werror -Wno-psabi - -o"
    )
    made = tmp_path / "kernels.o"
    command = [str(zig), "cc", *options.split(), str(made)]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    undefined, entry, uninitialised = engine.run(inspect, made.read_bytes())
    assert (undefined, entry, uninitialised) == ([], 0, 0)


def inspect(data: bytes) -> tuple[list[str], int, int]:
    """(undefined symbols, offset of the one external function, bytes of .bss) of an ELF object."""
    import struct

    def headers(offset: int, count: int) -> list[tuple[int, ...]]:
        return [struct.unpack_from("<IIQQQQIIQQ", data, offset + 64 * n) for n in range(count)]

    (table,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    sections = headers(table, count)
    uninitialised = sum(section[5] for section in sections if section[1] == 8)
    symbols = next(section for section in sections if section[1] == 2)
    names = sections[symbols[6]][4]
    undefined, entries = [], []
    for at in range(symbols[4] + 24, symbols[4] + symbols[5], 24):
        name, kind, _, section, value, _ = struct.unpack_from("<IBBHQQ", data, at)
        text = data[names + name : data.index(b"\0", names + name)].decode()
        if section == 0:
            undefined.append(text)
        elif kind >> 4 == 1:
            entries.append(value)
    assert len(entries) == 1
    return undefined, entries[0], uninitialised
