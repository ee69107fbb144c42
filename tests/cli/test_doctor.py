from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edge_sdk import registry
from edge_sdk.cli import checks
from edge_sdk.cli.checks import Status
from edge_sdk.device import DeviceInfo
from edge_sdk.uri import DeviceURI
from tests.cli.conftest import Run
from tests.cli.scripted_device import PROVIDER


@pytest.fixture
def scripted_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script is the CPU."""
    monkeypatch.setattr(registry, "open_device", lambda uri: PROVIDER.open(DeviceURI(uri)))


def test_everything_is_looked_at(run_command: Run, tiny_model: Path) -> None:
    done = run_command("doctor", "--json", "--model", str(tiny_model))
    told = json.loads(done.stdout)

    assert done.stderr == b""
    assert (done.returncode == 0) == told["ok"]
    names = {check["name"] for check in told["checks"]}
    assert {"python", "packages", "folder", "serial", "device", "terminal", "inference"} <= names
    for check in told["checks"]:
        assert check["message"].endswith(".")
        assert check["status"] == "ok" or check["remedy"], check


def test_the_table_ends_with_the_verdict(run_command: Run) -> None:
    done = run_command("doctor", "--model", "nobody/nothing")
    lines = done.stdout.decode().splitlines()

    assert done.returncode == 1
    assert lines[0].split() == ["STATUS", "CHECK", "FINDING"]
    assert lines[-1] == "Inference on the CPU does not work."
    assert any(line.startswith("failed") and "nobody/nothing" in line for line in lines)


@pytest.mark.usefixtures("scripted_cpu")
def test_inference_is_tried(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPT_POWER", "5")
    inference, power = checks.check_inference(str(tiny_model))

    assert (inference.name, inference.status) == ("inference", Status.OK)
    assert (power.status, power.message) == (
        Status.OK,
        "5.0 W now, measured (script, device).",
    )


@pytest.mark.usefixtures("scripted_cpu")
def test_power_that_is_not_there_is_no_failure(tiny_model: Path) -> None:
    _, power = checks.check_inference(str(tiny_model))

    assert power.status is Status.WARNING
    assert power.remedy == "set SCRIPT_POWER."


def test_a_failing_engine_is_a_finding(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    monkeypatch.setattr(registry, "open_device", lambda uri: 1 // 0)
    (inference,) = checks.check_inference(str(tiny_model))

    assert inference.status is Status.FAILED
    assert "ZeroDivisionError" in inference.message


def test_only_the_cpu_has_to_be_usable() -> None:
    def status(uri: str, kind: str) -> Status:
        info = DeviceInfo(uri, "it", kind, False, "it is torn.", "glue it.")
        (check,) = checks.check_devices([info])
        assert (check.message, check.remedy) == (f"{uri} is not usable: it is torn.", "glue it.")
        return check.status

    assert status("cpu", "cpu") is status("cpu", "provider") is Status.FAILED
    assert status("cuda:0", "gpu") is Status.ABSENT
    assert status("thing", "provider") is Status.WARNING


def test_details_of_a_device_are_told() -> None:
    info = DeviceInfo("cpu", "a CPU", "cpu", True, details={"compiler": "clang", "kernels": "C"})
    (check,) = checks.check_devices([info])

    assert check.message == "cpu is usable: a CPU; compiler: clang; kernels: C."


def test_a_missing_package_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.cli.checks.metadata.requires", lambda name: ["no-such>=3"])
    (check,) = checks.check_packages()

    assert check.status is Status.FAILED
    assert check.remedy == "run `pip install 'no-such>=3'`."


def test_a_folder_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SDK_HOME", "/proc/nowhere")
    found = list(checks.check_folders())

    assert {check.status for check in found} == {Status.WARNING}
    assert all("EDGE_SDK_HOME" in (check.remedy or "") for check in found)


def test_a_port_that_may_not_be_used_names_the_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from serial.tools import list_ports
    from serial.tools.list_ports_common import ListPortInfo

    port = ListPortInfo(str(tmp_path / "ttyUSB0"))
    port.description = "ULX3S"
    monkeypatch.setattr(list_ports, "comports", lambda: [port])
    (denied,) = checks.check_serial_ports()
    Path(port.device).touch()
    (allowed,) = checks.check_serial_ports()

    assert (denied.status, allowed.status) == (Status.WARNING, Status.OK)
    assert "(ULX3S)" in denied.message
    assert "usermod" in (denied.remedy or "")


def test_installed_models_are_listed(edge_home: Path, tiny_model: Path) -> None:
    folder = edge_home / "data" / "models"
    folder.mkdir(parents=True)
    os.link(tiny_model, folder / "mine.edge")

    assert any(check.message.startswith("mine, ") for check in checks.check_models())
