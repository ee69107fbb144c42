"""Which URIs name a tinygrad device, and what is said of those that do not."""

from __future__ import annotations

import pytest

import edge_sdk
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
