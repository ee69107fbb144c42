"""The CPU's fast path: equal to graph ops, the same bits in every order of work, loud when absent.

test_session.py and test_golden.py run on it, too.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_sdk
from edge_sdk.config import ModelConfig
from edge_sdk.devices.tinygrad import engine
from edge_sdk.errors import UsageError
from edge_sdk.random_model import write_random_model
from tests.devices.tinygrad.conftest import GOLDEN


@pytest.fixture
def fresh_choice() -> Iterator[None]:
    """Lets the path be chosen anew, before and after."""
    fast_path = engine.run(import_fast_path)
    fast_path._tested.cache_clear()
    yield
    fast_path._tested.cache_clear()


def import_fast_path() -> Any:
    from edge_sdk.devices.tinygrad import fast_path

    return fast_path


def test_each_step_equals_graph_ops_from_equal_state(
    fused_session: edge_sdk.Session, graph_session: edge_sdk.Session, golden: dict[str, Any]
) -> None:
    for token in golden["input_ids"][1].tolist():
        fused_session.restore(graph_session.snapshot())
        difference = fused_session.feed([token]).logits - graph_session.feed([token]).logits
        assert np.abs(difference).max() < 1e-5
        states = fused_session.snapshot().hidden - graph_session.snapshot().hidden
        assert np.abs(states).max() < 1e-6


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(vocab_size=130, hidden_size=40, num_layers=2, intermediate_size=70),
        ModelConfig(vocab_size=3, hidden_size=1, num_layers=1, intermediate_size=1),
        ModelConfig(vocab_size=515, hidden_size=272, num_layers=3, intermediate_size=530),
    ],
    ids=["tiny", "least", "odd"],
)
@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_the_same_bits_at_once_one_by_one_and_on_any_number_of_threads(
    cpu: edge_sdk.Device,
    config: ModelConfig,
    threads: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_random_model(tmp_path / "m.edge", config, "random")
    ids = np.random.default_rng(1).integers(0, config.vocab_size, 75).tolist()
    with edge_sdk.load_model(str(tmp_path / "m.edge")) as model:
        monkeypatch.setenv("EDGE_THREADS", "1")
        alone = cpu.load(model)
        expected = np.stack([alone.feed([token]).logits for token in ids])
        monkeypatch.setenv("EDGE_THREADS", str(threads))
        session = cpu.load(model)
        at_once = session.logits(ids)
        assert np.array_equal(at_once, expected)
        assert np.array_equal(session.snapshot().hidden, alone.snapshot().hidden)
        session.reset()
        assert np.array_equal(session.feed(ids).logits, expected[-1])
        alone.close()
        session.close()


@pytest.mark.parametrize("threads", ["1", "2", "8"])
def test_the_same_bits_from_two_bits_a_weight_and_from_five_trits_a_byte(
    cpu: edge_sdk.Device,
    golden_model: edge_sdk.Model,
    threads: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDGE_THREADS", threads)
    edge_sdk.convert_checkpoint(GOLDEN, tmp_path / "five.edge", embedding="fp32", bits="1.6")
    with edge_sdk.load_model(tmp_path / "five.edge") as model:
        found, expected = cpu.load(model), cpu.load(golden_model)
        ids = list(range(75))
        assert np.array_equal(found.logits(ids), expected.logits(ids))
        for token in range(9):
            assert np.array_equal(found.feed([token]).logits, expected.feed([token]).logits)
        assert np.array_equal(found.snapshot().hidden, expected.snapshot().hidden)
        found.close()
        expected.close()


def test_graph_ops_read_five_trits_a_byte_as_two_bits(
    golden_model: edge_sdk.Model, tmp_path: Path
) -> None:
    edge_sdk.convert_checkpoint(GOLDEN, tmp_path / "five.edge", embedding="fp32", bits="1.6")

    def planes(model: edge_sdk.Model) -> list[np.ndarray]:
        from edge_sdk.devices.tinygrad.weights import load_weights

        weights = load_weights(model, "CPU")
        return [planes.numpy() for planes in (*(p for p, _ in weights.layers), weights.head_planes)]

    with edge_sdk.load_model(tmp_path / "five.edge") as model:
        found, expected = engine.run(planes, model), engine.run(planes, golden_model)
    assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))


def test_many_short_tokens_on_more_threads_than_cores(
    cpu: edge_sdk.Device, golden_model: edge_sdk.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that are late, asleep or interrupted lose no tile and take none twice."""
    monkeypatch.setenv("EDGE_THREADS", "5")
    session = cpu.load(golden_model)
    first = session.logits(list(range(200)))
    for _ in range(5):
        session.reset()
        assert np.array_equal(session.logits(list(range(200))), first)
    session.close()


def kernel_threads() -> int:
    return sum(thread.name.startswith("edge-kernel") for thread in threading.enumerate())


def test_workers_end_with_close_and_with_the_last_reference(
    cpu: edge_sdk.Device, golden_model: edge_sdk.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.collect()
    before = kernel_threads()
    monkeypatch.setenv("EDGE_THREADS", "3")
    session = cpu.load(golden_model)
    assert kernel_threads() == before + 2
    session.feed([1])
    session.close()
    assert kernel_threads() == before
    session.close()
    forgotten = cpu.load(golden_model)
    forgotten.feed([1])
    del forgotten
    gc.collect()
    assert kernel_threads() == before


def test_a_closed_model_stays_mapped_for_its_session(cpu: edge_sdk.Device, tmp_path: Path) -> None:
    config = ModelConfig(vocab_size=64, hidden_size=64, num_layers=1, intermediate_size=64)
    write_random_model(tmp_path / "m.edge", config, "random")
    model = edge_sdk.load_model(str(tmp_path / "m.edge"))
    session = cpu.load(model)
    first = session.feed([3]).logits
    rows = model.embed([3])
    model.close()
    gc.collect()
    session.reset()
    assert np.array_equal(session._advance(rows, 1)[0], first)  # type: ignore[attr-defined]
    session.close()


def test_the_device_says_which_kernels_run(
    cpu: edge_sdk.Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cpu.info.details["kernels"].startswith("fused C, ")
    assert "warning" not in cpu.info.details
    monkeypatch.setenv("EDGE_KERNELS", "graph")
    with edge_sdk.open_device("cpu") as device:
        assert device.info.details["kernels"] == "graph ops (tinygrad)"
    monkeypatch.setenv("EDGE_KERNELS", "quick")
    with pytest.raises(UsageError, match="quick"):
        edge_sdk.open_device("cpu")


@pytest.mark.parametrize("bad", ["0", "-1", "two", "1000"])
def test_a_bad_number_of_threads_is_one_sentence(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_THREADS", bad)
    with pytest.raises(UsageError, match="EDGE_THREADS"):
        edge_sdk.open_device("cpu")


@pytest.mark.parametrize("fault", ["wrong sum", "no compiler output"])
def test_a_failing_kernel_is_said_and_graph_ops_run(
    fault: str,
    fresh_choice: None,
    golden_model: edge_sdk.Model,
    golden: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fast_path = engine.run(import_fast_path)
    if fault == "wrong sum":
        from edge_sdk.devices.tinygrad import self_test

        right = self_test.accumulate
        monkeypatch.setattr(self_test, "accumulate", lambda *args: right(*args) + 1)
    else:
        for load in ("load_prebuilt", "_compile"):
            monkeypatch.setattr(fast_path, load, fail)
    with edge_sdk.open_device("cpu") as device:
        assert device.info.details["kernels"] == "graph ops (tinygrad)"
        warning = device.info.details["warning"]
        assert "graph ops" in warning
        assert ("wrong integer sum" if fault == "wrong sum" else "no object") in warning
        session = device.load(golden_model)
        assert type(session).__name__ == "TinygradSession"


def fail() -> None:
    raise RuntimeError("the compiler gave no object")


def test_cores_respect_affinity_hyper_threads_and_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from edge_sdk.devices.tinygrad import cores

    for cpu in range(8):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores.physical_cores(tmp_path, tmp_path) == 4
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 4}, raising=False)
    assert cores.physical_cores(tmp_path, tmp_path) == 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert cores.physical_cores(tmp_path, tmp_path) == 2
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert cores.physical_cores(tmp_path, tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cores.physical_cores(tmp_path, tmp_path) == 4
