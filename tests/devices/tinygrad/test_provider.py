"""Which URIs name a tinygrad device, and what is said of those that do not."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pytest

import edge_sdk
from edge_sdk.devices.tinygrad import OPENCL, engine
from edge_sdk.errors import DeviceNotFound, UsageError


@pytest.mark.parametrize("uri", ["cpu", "cpu:0", " CPU "])
def test_the_cpu_has_one_device(uri: str) -> None:
    with edge_sdk.open_device(uri) as device:
        assert device.info.uri == "cpu"


@pytest.mark.parametrize("uri", ["cpu:1", "cpu:x", "cuda:-1", "cuda:1e3", "cuda:99999999999999"])
def test_a_number_that_names_no_device_is_refused(uri: str) -> None:
    with pytest.raises(DeviceNotFound) as caught:
        edge_sdk.open_device(uri)
    assert caught.value.hint


@pytest.mark.parametrize("uri", ["cpu?threads=2", "cuda:0?x=1"])
def test_an_option_is_refused_and_not_ignored(uri: str) -> None:
    with pytest.raises(UsageError, match="takes none") as caught:
        edge_sdk.open_device(uri)
    assert caught.value.hint


PLATFORMS = {"pocl": 16, "vendor": 32}
"""Names, and addresses that stand for their one device each."""


@pytest.fixture
def two_platforms(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PoCL with a CPU comes first, a driver with a GPU second."""

    def fake() -> None:
        from tinygrad.runtime.autogen import opencl as cl
        from tinygrad.runtime.ops_cl import CLDevice

        from edge_sdk.devices.tinygrad.opencl import driver

        def describe(platform: str, device: Any) -> driver.ClDevice:
            return driver.ClDevice(
                f"{platform} device", platform, "1", platform == "vendor", 1 << 30
            )

        handle = {name: ctypes.cast(at, cl.cl_device_id) for name, at in PLATFORMS.items()}
        monkeypatch.setattr(CLDevice, "device_ids", None)
        monkeypatch.setattr(driver, "_platforms", lambda: list(PLATFORMS))
        monkeypatch.setattr(driver, "_ids", lambda ask, kind, of, what: [handle[of]])
        monkeypatch.setattr(driver, "_describe", describe)
        driver.cl_devices.cache_clear()

    engine.run(fake)
    monkeypatch.setattr("edge_sdk.devices.tinygrad.provider.absence", lambda backend: None)
    yield
    from edge_sdk.devices.tinygrad.opencl import driver

    driver.cl_devices.cache_clear()


def test_opencl_lists_all_platforms_gpus_first(
    two_platforms: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("edge_sdk.devices.tinygrad.provider._open_backend", opened.append)
    monkeypatch.setattr(
        "edge_sdk.devices.tinygrad.provider._cl_kernels", lambda _: {"kernels": "fused OpenCL"}
    )
    found = OPENCL.discover()
    assert [(info.uri, info.name, info.kind) for info in found] == [
        ("opencl:0", "vendor device", "gpu"),
        ("opencl:1", "pocl device", "cpu"),
    ]
    # Nobody has measured either against the CPU.
    assert all(info.usable and info.named_only and info.memory == 1 << 30 for info in found)
    assert opened == ["CL", "CL:1"]

    from tinygrad.runtime.ops_cl import CLDevice

    handles = [ctypes.cast(device, ctypes.c_void_p).value for device in CLDevice.device_ids or ()]
    assert handles == [PLATFORMS["vendor"], PLATFORMS["pocl"]]
    assert edge_sdk.registry.best_of(found) is found[0]
    with pytest.raises(DeviceNotFound, match="OpenCL lists 2 devices"):
        edge_sdk.open_device("opencl:2")
