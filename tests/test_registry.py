from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path

import pytest

from edge_sdk import registry
from edge_sdk.device import DeviceInfo
from edge_sdk.errors import DeviceNotFound, UsageError
from tests.plugins import install_plugin

ROOT = Path(__file__).parent.parent
BOARD = """
from edge_sdk.device import DeviceInfo

class Board:
    def discover(self):
        return [DeviceInfo("plugin:1", "a third party's board", "board", True)]

    def open(self, uri):
        return uri

PROVIDER = Board()
"""


class FakeProvider:
    """Lists what it is given; opening gives the URI back."""

    def __init__(self, *infos: DeviceInfo) -> None:
        self.infos = list(infos)

    def discover(self) -> list[DeviceInfo]:
        return self.infos

    def open(self, uri: object) -> object:
        return uri


class BrokenProvider(FakeProvider):
    def discover(self) -> list[DeviceInfo]:
        raise OSError("the driver is on fire")


def info(uri: str, kind: str, usable: bool = True) -> DeviceInfo:
    reason, remedy = (None, None) if usable else (f"{uri} is broken", f"mend {uri}.")
    return DeviceInfo(uri, f"the {uri}", kind, usable, reason, remedy)


CPU = FakeProvider(info("cpu", "cpu"))
NO_CPU = FakeProvider(info("cpu", "cpu", usable=False))
GPU = FakeProvider(info("gpu:0", "gpu", usable=False), info("gpu:1", "gpu"))
NO_GPU = FakeProvider(info("gpu:0", "gpu", usable=False))
PLUGGED_BOARD = FakeProvider(info("board:x", "board"))
FIRE = BrokenProvider()


def register(monkeypatch: pytest.MonkeyPatch, **providers: str) -> None:
    """Make exactly these entry points the known ones: scheme = name of an object here."""
    entries = [
        EntryPoint(scheme, value if ":" in value else f"{__name__}:{value}", registry.GROUP)
        for scheme, value in providers.items()
    ]
    monkeypatch.setattr("edge_sdk.registry._own_entry_points", lambda: ())
    monkeypatch.setattr("edge_sdk.registry.entry_points", lambda group: EntryPoints(entries))


def test_a_third_partys_board_is_found_and_opened(tmp_path: Path) -> None:
    site = install_plugin(tmp_path, {"plugin": "plugin_device:PROVIDER"}, BOARD)
    script = (
        "import json; from edge_sdk import list_devices, open_device\n"
        "print(json.dumps([info.uri for info in list_devices()]))\n"
        "print(open_device('plugin:1?speed=9'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    listed, opened = done.stdout.splitlines()
    # Beside it stand our own, whether this checkout is installed or only on the path.
    assert {"plugin:1", "cpu"} <= set(json.loads(listed))
    assert opened == "plugin:1?speed=9"


def test_the_checkouts_entry_points_are_those_of_an_installation() -> None:
    registry._own_entry_points.cache_clear()
    own = registry._own_entry_points() or entry_points(group=registry.GROUP)

    assert {"cpu", "cuda", "metal"} <= {entry.name for entry in own}


def test_a_provider_that_fails_is_listed_and_hides_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch, cpu="CPU", fire="FIRE", gone="no_such_module:PROVIDER")
    listed = {device.uri: device for device in registry.list_devices()}

    assert listed["cpu"].usable
    assert not listed["fire"].usable
    assert "the driver is on fire" in (listed["fire"].reason or "")
    assert "no_such_module" in (listed["gone"].reason or "")
    assert all(listed[uri].remedy for uri in ("fire", "gone"))


def test_usable_devices_come_first_then_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, board="PLUGGED_BOARD", cpu="CPU", gpu="GPU")

    assert [device.uri for device in registry.list_devices()] == [
        "gpu:1",
        "cpu",
        "board:x",
        "gpu:0",
    ]


@pytest.mark.parametrize(
    ("providers", "expected"),
    [
        ({"cpu": "CPU"}, "cpu"),
        ({"cpu": "CPU", "gpu": "GPU"}, "gpu:1"),
        ({"cpu": "CPU", "gpu": "NO_GPU"}, "cpu"),
        ({"cpu": "CPU", "board": "PLUGGED_BOARD"}, "cpu"),
    ],
)
def test_auto_takes_a_gpu_then_the_cpu(
    monkeypatch: pytest.MonkeyPatch, providers: dict[str, str], expected: str
) -> None:
    register(monkeypatch, **providers)

    assert registry.choose_device().uri == expected
    assert str(registry.open_device("auto")) == expected


def test_auto_without_a_usable_device_tells_the_cpus_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch, cpu="NO_CPU", gpu="NO_GPU", board="PLUGGED_BOARD")

    with pytest.raises(DeviceNotFound, match="cpu is broken") as caught:
        registry.open_device()
    assert caught.value.hint == "mend cpu."


def test_an_unknown_scheme_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, cpu="CPU", gpu="GPU")

    with pytest.raises(DeviceNotFound, match=r"'quantum'.*auto, cpu, gpu") as caught:
        registry.open_device("quantum:3")
    assert "edge-sdk devices" in (caught.value.hint or "")


def test_a_provider_that_cannot_be_loaded_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch, gone="no_such_module:PROVIDER")

    with pytest.raises(DeviceNotFound, match="could not be loaded"):
        registry.open_device("gone")


def test_a_malformed_uri_loads_no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, gone="no_such_module:PROVIDER")

    with pytest.raises(UsageError):
        registry.open_device("gone?x")
