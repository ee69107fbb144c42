"""Which compiler is found, in which order, and what is said when there is none."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.devices.tinygrad import compiler
from edge_sdk.errors import MissingExtra, NotFound


def fake_executable(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o755)
    return path


def test_clang_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clang = fake_executable(tmp_path, "clang")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(compiler.OVERRIDE_VARIABLE, raising=False)
    found = compiler.find_compiler()
    assert (found.path, found.kind) == (clang, "clang")


def test_the_override_wins_and_a_wrong_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = fake_executable(tmp_path, "my-clang")
    monkeypatch.setenv(compiler.OVERRIDE_VARIABLE, str(mine))
    assert compiler.find_compiler().path == mine
    monkeypatch.setenv(compiler.OVERRIDE_VARIABLE, "clang -v")
    with pytest.raises(NotFound, match="clang -v"):
        compiler.find_compiler()


def test_none_at_all_names_both_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(compiler.OVERRIDE_VARIABLE, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra) as caught:
        compiler.find_compiler()
    assert "apt install clang" in (caught.value.hint or "")
    assert "edge-sdk[compiler]" in (caught.value.hint or "")


@pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="the package ziglang is not installed"
)
def test_the_zig_shim_compiles_what_tinygrad_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(compiler.OVERRIDE_VARIABLE, raising=False)
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", str(tmp_path))
    found = compiler.find_compiler()
    monkeypatch.setenv("PATH", path)
    assert found.kind == "zig"
    arguments = "-c -x c -O2 -fPIC -ffreestanding -nostdlib --target=x86_64-none-unknown-elf - -o -"
    made = subprocess.run(
        [str(found.path), *arguments.split()],
        input=b"int f(int x) { return x + 1; }",
        capture_output=True,
        check=True,
    )
    assert made.stdout[:4] == b"\x7fELF"


def test_no_compiler_is_listed_as_the_reason_not_as_a_traceback(tmp_path: Path) -> None:
    """A real process that may use neither a compiler nor the prebuilt kernels: `cpu` is unusable
    and says what to install."""
    script = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'ziglang' else find(name, *a)\n"
        "import edge_sdk\n"
        "info = next(i for i in edge_sdk.list_devices() if i.uri == 'cpu')\n"
        "print(info.usable, info.reason, info.remedy)\n"
        "try: edge_sdk.open_device('cpu')\n"
        "except edge_sdk.EdgeError as error: print(error.exit_code, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PATH": str(tmp_path), "EDGE_KERNELS": "graph"},
        capture_output=True,
        text=True,
        check=True,
    )
    listed, opened = done.stdout.splitlines()
    assert listed.startswith("False") and "clang" in listed and "edge-sdk[compiler]" in listed
    assert opened.startswith("3 ") and "apt install clang" in opened
