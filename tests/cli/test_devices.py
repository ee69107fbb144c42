from __future__ import annotations

import json

import pytest

from edge_sdk.device import DeviceInfo
from edge_sdk.registry import best_of, choose_device
from tests.cli.conftest import Run


def test_the_table_tells_reason_and_remedy(run_command: Run) -> None:
    done = run_command("devices", SCRIPT_BROKEN="1")
    lines = done.stdout.decode().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("script "))

    assert done.returncode == 0
    assert lines[0].split() == ["DEVICE", "STATE", "MEMORY", "NAME"]
    assert "not usable" in lines[at]
    assert lines[at + 1].strip() == "reason: it is torn"
    assert lines[at + 2].strip() == "remedy: glue it together."


def test_json_has_every_field(run_command: Run) -> None:
    done = run_command("devices", "--json")
    told = json.loads(done.stdout)
    listed = {info["uri"]: info for info in told["devices"]}

    assert (done.returncode, done.stderr) == (0, b"")
    assert listed["script"] == {
        "uri": "script",
        "name": "a script",
        "kind": "cpu",
        "usable": True,
        "reason": None,
        "remedy": None,
        "memory": 8_000_000,
        "details": {"compiler": "none", "kernels": "a script"},
        "named_only": False,
    }
    assert listed[told["auto"]]["usable"]
    assert all(info["usable"] or (info["reason"] and info["remedy"]) for info in told["devices"])


@pytest.mark.parametrize(("usable", "named_only"), [(True, False), (True, True), (False, False)])
def test_the_marked_device_is_the_one_that_auto_opens(
    usable: bool, named_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [
        DeviceInfo("board:1", "a board", "board", True),
        DeviceInfo("cpu", "a CPU", "cpu", True),
        DeviceInfo("gpu:0", "a GPU", "gpu", usable, named_only=named_only),
    ]
    monkeypatch.setattr("edge_sdk.registry.list_devices", lambda: devices)

    assert best_of(devices) == choose_device() == devices[2 if usable and not named_only else 1]
    assert best_of(devices[:1]) is None
