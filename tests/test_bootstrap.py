"""The bootstrap's decisions, without installing anything; .ci/run does it for real."""

from __future__ import annotations

import ast
import json
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from edge_sdk import bootstrap

ROOT = Path(__file__).parent.parent


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """A `.venv` in tmp_path, and the commands that would have filled it."""
    found: list[list[str]] = []
    venv = tmp_path / ".venv"

    def call(command: list[str], what: str) -> None:
        found.append(command)
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        (venv / "bin" / "python").touch()

    monkeypatch.setattr(bootstrap, "VENV", venv)
    monkeypatch.setattr(bootstrap, "READY", venv / ".ready")
    monkeypatch.setattr(bootstrap, "_call", call)
    monkeypatch.setattr(bootstrap, "_pip", lambda: ["pip"])
    return found


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        ("thing", True),
        ("thing>=8.2,<9", True),
        ("thing==8.2.8", True),
        ("thing==8.2", False),
        ("thing>=8.2.9", False),
        ("thing<8.2.8", False),
        ("thing>8", True),
        ("thing<=8.2.8.0", True),
        ("thing!=8.2.8", False),
        ('thing>=8; python_version >= "3.11"', True),
        ("other", False),
        ("", False),
    ],
)
def test_versions_are_compared(
    requirement: str, met: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name != "thing":
            raise metadata.PackageNotFoundError(name)
        return "8.2.8"

    monkeypatch.setattr(metadata, "version", version)

    assert bootstrap.is_met(requirement) is met


def test_what_runs_these_tests_has_all_that_tests_need() -> None:
    assert [text for text in bootstrap.missing_packages(["test"]) if "setuptools" not in text] == []


def test_an_interpreter_that_has_all_is_used_as_it_is(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_CC", "clang")
    monkeypatch.setenv(bootstrap.AGAIN, "1")
    bootstrap.ensure()

    assert calls == []


def test_a_compiler_is_installed_where_one_is_needed_and_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("EDGE_CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap.with_compiler(["test"]) == ["test", "compiler"]

    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")
    assert bootstrap.with_compiler([]) == []
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert bootstrap.with_compiler([]) == ["compiler"]

    (tmp_path / "clang").touch(0o755)
    assert bootstrap.with_compiler(["test"]) == ["test"]
    assert bootstrap.with_compiler([]) == []


def test_a_fresh_environment_is_made_once(calls: list[list[str]]) -> None:
    assert not bootstrap.is_ready([])
    bootstrap.install(["test"])

    assert [command[1:4] for command in calls] == [["-m", "venv", "--clear"], calls[1][1:4]]
    assert calls[1][-1] == f"{ROOT}[test]"
    assert bootstrap.is_ready([])
    assert bootstrap.is_ready(["test"])
    assert not bootstrap.is_ready(["compiler"])


def test_another_extra_is_added_to_what_is_there(calls: list[list[str]]) -> None:
    bootstrap.install(["test"])
    calls.clear()
    bootstrap.install(["compiler"])

    assert len(calls) == 1
    assert calls[0][-1] == f"{ROOT}[compiler,test]"
    assert bootstrap.is_ready(["compiler", "test"])


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        ({"pyproject": "0"}, False),
        ({"python": [3, 10]}, True),
        ({"root": "/elsewhere"}, True),
        ({"extras": None}, True),
        (None, True),
    ],
)
def test_an_environment_that_does_not_fit_is_made_again(
    calls: list[list[str]], change: dict[str, object] | None, anew: bool
) -> None:
    bootstrap.install([])
    marker = json.loads(bootstrap.READY.read_text())
    bootstrap.READY.write_text("{half" if change is None else json.dumps(marker | change))

    assert not bootstrap.is_ready([])
    calls.clear()
    bootstrap.install([])
    assert ("--clear" in calls[0]) is anew


def test_an_interrupted_install_is_made_anew(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.install([])

    def fail(command: list[str], what: str) -> None:
        raise bootstrap.BootstrapError("no network.", "connect.")

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "_call", fail)
        with pytest.raises(bootstrap.BootstrapError):
            bootstrap.install(["test"])
    assert not bootstrap.is_ready([])

    calls.clear()
    bootstrap.install([])
    assert "--clear" in calls[0]


def test_a_command_that_fails_shows_the_end_of_what_it_said() -> None:
    script = "import sys; print(*range(99), sep='\\n', file=sys.stderr); sys.exit(3)"

    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap._call([sys.executable, "-c", script], "working")
    assert str(caught.value.args[0]).splitlines() == ["working failed:", *map(str, range(75, 99))]
    with pytest.raises(bootstrap.BootstrapError, match="working failed: "):
        bootstrap._call(["/no/such/program"], "working")


def test_an_environment_that_stays_incomplete_is_no_endless_loop(tmp_path: Path) -> None:
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from edge_sdk import bootstrap as b;"
        "b.missing_packages = lambda extras: ['thing']; os.environ[b.AGAIN] = '1'; b.ensure()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT)], capture_output=True, text=True, cwd=tmp_path
    )

    assert done.returncode == 1
    assert done.stderr == (
        "edge-sdk: these stayed missing in .venv: thing.\n"
        "hint: delete the folder .venv and try again.\n"
    )


@pytest.mark.skipif(
    bool(bootstrap.missing_packages(bootstrap.with_compiler(["test"]))),
    reason="this interpreter lacks a package, so the bootstrap would leave it for .venv",
)
@pytest.mark.parametrize("start", ["app", "tests"])
def test_the_folders_start_from_anywhere(start: str, tmp_path: Path) -> None:
    option = "--version"
    done = subprocess.run(
        [sys.executable, str(ROOT / start), option], capture_output=True, text=True, cwd=tmp_path
    )
    # `chat` has no --version, which shows that the options reach it.
    expected = (2, "--version") if start == "app" else (0, "pytest")

    assert (done.returncode, expected[1] in done.stdout + done.stderr) == (expected[0], True)


def test_an_old_python_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))

    with pytest.raises(SystemExit) as caught:
        bootstrap.ensure()
    assert caught.value.code == 1


@pytest.mark.parametrize("file", ["edge_sdk/bootstrap.py", "app/__main__.py", "tests/__main__.py"])
def test_an_old_python_reads_as_far_as_the_sentence(file: str) -> None:
    ast.parse((ROOT / file).read_text("utf-8"), feature_version=(3, 8))


def test_it_needs_the_standard_library_only() -> None:
    """It runs before anything is installed: -S hides every installed package."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); from edge_sdk import bootstrap"
    done = subprocess.run([sys.executable, "-S", "-c", script, str(ROOT)], capture_output=True)

    assert (done.returncode, done.stderr) == (0, b"")
