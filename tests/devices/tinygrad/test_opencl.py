"""The OpenCL path on a real device: integers exactly, floats closely, loud when it is wrong.

What holds for any session is tested there by the fixture `session` (test_session, test_golden).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_sdk
from edge_sdk.config import ModelConfig
from edge_sdk.devices.tinygrad import engine
from edge_sdk.errors import DeviceDisconnected, DeviceNotFound, OutOfMemory
from edge_sdk.model_file import open_model
from edge_sdk.random_model import write_random_model
from tests.helpers import packed_model

pytestmark = pytest.mark.opencl

FLIP = 0.3
"""What one rounding that fell the other way may move a logit of golden_small by."""


# width, inner: no multiple of anything; one block; more than one; a long row
@pytest.mark.parametrize(("width", "inner"), [(50, 71), (256, 512), (600, 1100), (1280, 3456)])
def test_integer_sums_are_exact(opencl: Any, tmp_path: Path, width: int, inner: int) -> None:
    from edge_sdk.devices.tinygrad.opencl.self_test import check_sums

    write_random_model(tmp_path / "odd.edge", ModelConfig(101, width, 2, inner), "odd")
    with open_model(tmp_path / "odd.edge") as model:
        session = opencl.load(model)
        engine.run(check_sums, session._resident)
        ids = np.random.default_rng(1).integers(0, 101, 29).tolist()
        prompt = session.feed(ids).logits
        session.reset()
        one_by_one = [session.feed([token]) for token in ids][-1].logits
        # Both round to int8 before every product, so a flip may tell them apart, but not by much.
        assert np.abs(prompt - one_by_one).max() < 0.2 * np.abs(prompt).max()
        session.close()


def test_each_token_from_the_oracles_state(
    opencl_session: edge_sdk.Session, graph_session: edge_sdk.Session
) -> None:
    token, flips = 1, 0
    for _ in range(100):
        graph_session.restore(opencl_session.snapshot())
        expected, found = graph_session.feed([token]), opencl_session.feed([token])
        error = float(np.abs(found.logits - expected.logits).max())
        assert error < FLIP
        flips += error > 1e-4
        token = found.best()
    assert flips < 10


def test_graph_ops_on_opencl_pass_the_golden_vectors(
    opencl: Any,
    golden_model: edge_sdk.Model,
    golden: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDGE_KERNELS", "graph")
    with edge_sdk.open_device("opencl:0") as device:
        assert device.info.details["kernels"] == "graph ops (tinygrad)" and device.info.named_only
        session = device.load(golden_model)
        logits = session.logits(golden["input_ids"][0].tolist())
        assert np.abs(logits - golden["logits"][0]).max() < 1e-3
        assert np.abs(session.snapshot().hidden - golden["states"][:, 0, 0]).max() < 1e-3


def test_sessions_share_weights_and_give_them_back(
    opencl: Any, opencl_session: Any, golden_model: edge_sdk.Model, tmp_path: Path
) -> None:
    other = opencl.load(golden_model)
    assert other._resident is opencl_session._resident
    other.close()
    assert opencl_session.feed([1]).logits.size == 512
    with open_model(packed_model(tmp_path)) as model:
        alone = opencl.load(model)
        resident = alone._resident
        assert resident.device_bytes >= model.planes_bytes
        alone.close()
        assert resident.device_bytes == 0


@pytest.fixture
def untested() -> Iterator[None]:
    """The start-up check runs in this test, and anew after it."""
    from edge_sdk.devices.tinygrad.opencl import path

    path._tested.cache_clear()
    yield
    path._tested.cache_clear()


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("0x03030303u", "0x03030301u", "differ from the reference"),
        ("float forget = bound", "float forget = 0.99f * bound", "differ from the reference"),
        ("__kernel void edge_gate", "__kernel void other_gate", "Error"),
    ],
)
def test_a_wrong_kernel_is_said_and_models_still_run(
    untested: None,
    golden_model: edge_sdk.Model,
    monkeypatch: pytest.MonkeyPatch,
    right: str,
    wrong: str,
    said: str,
) -> None:
    from edge_sdk.devices.tinygrad.opencl import resident
    from edge_sdk.devices.tinygrad.session import TinygradSession

    source = resident.source
    monkeypatch.setattr(resident, "source", lambda *of: source(*of).replace(right, wrong))
    with edge_sdk.open_device("opencl:0") as device:
        assert device.info.details["kernels"] == "graph ops (tinygrad)" and device.info.named_only
        assert said in device.info.details["warning"]
        assert isinstance(device.load(golden_model), TinygradSession)


def test_auto_passes_it_over_until_it_is_measured(opencl: Any) -> None:
    info = opencl.info
    assert info.memory and info.details["driver"]
    assert info.kind in ("cpu", "gpu") and info.named_only
    assert edge_sdk.registry.choose_device().uri != info.uri


def test_a_device_beyond_the_last_is_refused(opencl: Any) -> None:
    with pytest.raises(DeviceNotFound, match="OpenCL lists") as caught:
        edge_sdk.open_device("opencl:99")
    assert caught.value.hint


def test_more_than_fits_is_said_in_a_sentence(
    opencl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinygrad import Device

    def full(*_: object) -> None:
        raise RuntimeError("OpenCL Error -4: CL_MEM_OBJECT_ALLOCATION_FAILURE")

    monkeypatch.setattr(Device["CL"].allocator, "_alloc", full)
    with open_model(packed_model(tmp_path)) as model, pytest.raises(OutOfMemory):
        opencl.load(model)


def test_a_lost_device_is_said_in_a_sentence_and_the_state_is_kept(
    opencl_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opencl_session.feed([1, 2])
    before = opencl_session.snapshot()

    def lose(_: str, done: int, total: int) -> None:
        assert done < total
        monkeypatch.setattr(
            "tinygrad.runtime.autogen.opencl.clEnqueueNDRangeKernel", lambda *_: -36
        )

    with pytest.raises(DeviceDisconnected, match="stopped answering"):
        opencl_session.feed([3] * 20, progress=lose)
    after = opencl_session.snapshot()
    assert np.array_equal(before.hidden, after.hidden) and before.position == after.position
