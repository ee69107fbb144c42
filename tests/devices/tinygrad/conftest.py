"""One golden model, and one session of each path on it, for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_sdk
from edge_sdk.model_file import open_model

GOLDEN = Path(__file__).parents[2] / "data" / "golden_small"


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """The official implementation's inputs and outputs (tests/data/golden_small/README.md)."""
    with np.load(GOLDEN / "golden.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def golden_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[edge_sdk.Model]:
    """golden_small packed with exact embeddings."""
    target = tmp_path_factory.mktemp("golden") / "golden.edge"
    edge_sdk.convert_checkpoint(GOLDEN, target, embedding="fp32")
    with open_model(target) as model:
        yield model


@pytest.fixture(scope="session")
def cpu() -> Iterator[edge_sdk.Device]:
    """The CPU device."""
    with edge_sdk.open_device("cpu") as device:
        yield device


@pytest.fixture(scope="session")
def shared_graph_session(cpu: edge_sdk.Device, golden_model: edge_sdk.Model) -> edge_sdk.Session:
    """A session on graph ops, whose programs are compiled once: that takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_KERNELS", "graph")
        return cpu.load(golden_model)


@pytest.fixture(scope="session")
def shared_fused_session(cpu: edge_sdk.Device, golden_model: edge_sdk.Model) -> edge_sdk.Session:
    """A session on the C kernels, with two threads whatever the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_THREADS", "2")
        return cpu.load(golden_model)


@pytest.fixture
def graph_session(shared_graph_session: edge_sdk.Session) -> edge_sdk.Session:
    """A session on graph ops with the zero state."""
    shared_graph_session.reset()
    return shared_graph_session


@pytest.fixture
def fused_session(shared_fused_session: edge_sdk.Session) -> edge_sdk.Session:
    """A session on the C kernels with the zero state."""
    shared_fused_session.reset()
    return shared_fused_session


@pytest.fixture(scope="session")
def opencl(compile_cache: Path) -> Iterator[edge_sdk.Device]:
    """The first OpenCL device, on our kernels: a GPU, or a CPU through PoCL."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POCL_CACHE_DIR", str(compile_cache / "pocl"))
        with edge_sdk.open_device("opencl:0") as device:
            if device.info.details["kernels"] != "fused OpenCL":
                pytest.fail(f"the fast path was refused: {device.info.details}")
            yield device


@pytest.fixture(scope="session")
def shared_opencl_session(
    opencl: edge_sdk.Device, golden_model: edge_sdk.Model
) -> edge_sdk.Session:
    """A session on the OpenCL kernels."""
    return opencl.load(golden_model)


@pytest.fixture
def opencl_session(shared_opencl_session: edge_sdk.Session) -> edge_sdk.Session:
    """A session on the OpenCL kernels with the zero state."""
    shared_opencl_session.reset()
    return shared_opencl_session


@pytest.fixture(params=["fused", "graph", pytest.param("opencl", marks=pytest.mark.opencl)])
def session(request: pytest.FixtureRequest) -> edge_sdk.Session:
    """All paths, one after the other: what holds for a session holds on each."""
    chosen: edge_sdk.Session = request.getfixturevalue(f"{request.param}_session")
    return chosen
