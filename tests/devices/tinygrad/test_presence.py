"""Which GPUs are ruled out before tinygrad is imported, and that no other is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.devices.tinygrad import presence


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in presence._VARIABLES.values():
        monkeypatch.delenv(name, raising=False)


def test_an_amd_gpu_is_a_device_file_or_on_the_bus(tmp_path: Path) -> None:
    bus = tmp_path / "pci"
    for number, vendor in enumerate(("0x8086", "0x1022")):
        (bus / str(number)).mkdir(parents=True)
        (bus / str(number) / "vendor").write_text(f"{vendor}\n")
    assert not presence.has_amd(tmp_path / "kfd", bus)
    (bus / "2").mkdir()
    (bus / "2" / "vendor").write_text("0x1002\n")
    assert presence.has_amd(tmp_path / "kfd", bus)
    (tmp_path / "kfd").touch()
    assert presence.has_amd(tmp_path / "kfd", tmp_path / "none")


def test_opencl_that_is_not_installed_is_absent() -> None:
    assert "not installed" in (presence.opencl_absence(("libNoSuchThing.so.1",)) or "")


def test_a_card_of_the_driver_is_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "cuda_devices", lambda: ())
    assert "libcuda" in (presence.absence("CUDA") or "")
    monkeypatch.setattr(presence, "cuda_devices", lambda: (("a card", 1),))
    assert presence.absence("CUDA") is None


def test_what_cannot_be_known_is_left_to_tinygrad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "cuda_devices", lambda: ())
    monkeypatch.setattr(presence, "has_amd", lambda: False)
    monkeypatch.setattr(presence, "opencl_absence", lambda: "none")
    monkeypatch.setattr(presence, "dawn_absence", lambda: "none")
    assert presence.absence("METAL")
    assert presence.absence("SOMETHING") is None
    for backend, name in presence._VARIABLES.items():
        assert presence.absence(backend)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, "/somewhere")
            assert presence.absence(backend) is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert all(presence.absence(backend) is None for backend in ("METAL", *presence._VARIABLES))


def test_the_device_that_auto_picks_here_needs_no_tinygrad() -> None:
    if any(presence.absence(backend) is None for backend in ("CUDA", "AMD", "CL", "METAL")):
        pytest.skip("this machine may have a GPU")
    script = (
        "import sys, edge_sdk\n"
        "with edge_sdk.open_device('auto') as device:\n"
        "    fast = device.info.details['kernels'].endswith(', prebuilt')\n"
        "print(fast, 'tinygrad' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    fast, imported = done.stdout.split()
    assert imported == str(fast == "False")
