"""What every test gets: folders of its own, no settings of the user's, and a reason for a skip.

It knows the variables that Edge SDK reads; it does not know what is tested.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# Before numpy: two test processes on two cores leave nothing for a pool of BLAS threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

# How fast examples are made or run is no property of the code: machines are busy.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

USER_SETTINGS = ["EDGE_MODEL", "EDGE_DEVICE", "EDGE_DEBUG", "NO_COLOR", "EDGE_SDK_BOOTSTRAPPED"]


@pytest.fixture(scope="session")
def compile_cache(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache folder for all tests, kept between runs: compiling a kernel takes seconds."""
    store = getattr(request.config, "cache", None)
    return store.mkdir("edge_sdk") if store else tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session", autouse=True)
def _session_home(compile_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Folders for fixtures that live longer than one test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_SDK_HOME", str(_new_home(compile_cache, tmp_path_factory)))
        for name in USER_SETTINGS:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def edge_home(
    compile_cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """EDGE_SDK_HOME of one test: models, history and settings are empty, the cache is shared."""
    home = _new_home(compile_cache, tmp_path_factory)
    monkeypatch.setenv("EDGE_SDK_HOME", str(home))
    return home


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked `gpu` or `opencl` where there is none, with the device list's reason."""
    for scheme in ("gpu", "opencl"):
        marker = item.get_closest_marker(scheme)
        if marker:
            reason = _why_not(marker.args[0] if marker.args else scheme)
            if reason is not None:
                pytest.skip(reason)


@cache
def _why_not(wanted: str) -> str | None:
    """Why no device can be used: `gpu` is any that `auto` takes, else it is a URI's scheme."""
    # Here, because asking opens every device and only the tests that are marked need it.
    from edge_sdk import list_devices

    devices = list_devices()
    if wanted == "gpu":
        found = [info for info in devices if info.kind == "gpu"]
        usable = any(info.usable and not info.named_only for info in found)
    else:
        found = [info for info in devices if info.uri.partition(":")[0] == wanted]
        usable = any(info.usable for info in found)
    reasons = "; ".join(f"{info.uri}: {info.reason or 'graph ops'}" for info in found)
    return None if usable else f"no usable {wanted} device ({reasons or 'none was found'})"


def _new_home(compile_cache: Path, factory: pytest.TempPathFactory) -> Path:
    home = factory.mktemp("home")
    (home / "cache").symlink_to(compile_cache, target_is_directory=True)
    return home
