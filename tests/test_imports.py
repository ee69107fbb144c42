"""The rules of the architecture, as far as import statements show them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = [ROOT / name for name in ("edge_sdk", "devices", "app", "firmware_images")]
MAX_LINES = 400


@dataclass(frozen=True)
class Rule:
    """Files whose path starts with `where` import nothing of `never`, but for those of `unless`."""

    where: str
    never: tuple[str, ...]
    unless: tuple[str, ...] = ()


RULES = [
    Rule("app/", ("tinygrad", "serial", "torch", "edge_sdk.devices", "edge_sdk.firmware_images")),
    Rule("devices/", ("textual", "torch", "edge_sdk.app", "edge_sdk.cli")),
    Rule("edge_sdk/", ("edge_sdk.devices", "edge_sdk.firmware_images", "tinygrad", "textual")),
    Rule(
        "edge_sdk/",
        ("edge_sdk.app",),
        unless=("edge_sdk/cli/chat.py", "edge_sdk/cli/bench_app.py", "edge_sdk/cli/web.py"),
    ),
    Rule("edge_sdk/", ("serial",), unless=("edge_sdk/cli/checks.py",)),
    Rule("", ("torch", "triton"), unless=("edge_sdk/training/",)),
    # Frames know no ports, ports know no frames, and pyserial is in two files.
    Rule("devices/", ("serial",), unless=("devices/board/transport.py", "devices/board/ports.py")),
    Rule("devices/board/link.py", ("serial", "edge_sdk.devices.board.transport")),
    Rule("devices/board/transport.py", ("edge_sdk.devices.board.link",)),
    # How images are built is no part of running them.
    Rule(
        "",
        ("edge_sdk.firmware_images.gateware", "amaranth", "amaranth_boards"),
        unless=("firmware_images/gateware/", "firmware_images/build.py"),
    ),
    # Bitstreams and the contract know nothing of what uses them.
    Rule(
        "firmware_images/",
        ("edge_sdk.devices", "edge_sdk.app", "edge_sdk.cli", "tinygrad", "serial", "textual"),
    ),
    # Names that only exist in a checkout.
    Rule("", ("tests", "devices", "app", "firmware_images")),
]


def python_files(folder: Path) -> Iterator[Path]:
    """The *.py files of `folder`; linked folders are left out, they stand at the top."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not (Path(parent) / name).is_symlink()]
        yield from (Path(parent) / name for name in names if name.endswith(".py"))


FILES = sorted(path for folder in CODE for path in python_files(folder))


def module_of(path: Path) -> list[str]:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return parts if parts[0] == "edge_sdk" else ["edge_sdk", *parts]


def imported(path: Path) -> set[str]:
    """Every module (and every name taken from one) that `path` imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*module_of(path)[: -node.level], *filter(None, [base])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in ("import_module", "__import__") and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
    return found


def breaches(rule: Rule, path: Path) -> list[str]:
    name = path.relative_to(ROOT).as_posix()
    if not name.startswith(rule.where) or name.startswith(rule.unless or ("/",)):
        return []
    return [
        f"{name} imports {module}"
        for module in sorted(imported(path))
        for never in rule.never
        if module == never or module.startswith(f"{never}.")
    ]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_imports_point_one_way(rule: Rule) -> None:
    assert [found for path in FILES for found in breaches(rule, path)] == []


def test_the_rules_see_every_way_to_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app").mkdir()
    path = tmp_path / "app" / "bad.py"
    path.write_text(
        "import tinygrad.tensor\n"
        "from edge_sdk import devices\n"
        "from .. import firmware_images\n"
        "def late():\n    import serial\n"
        "importlib.import_module('torch')\n"
    )
    monkeypatch.setitem(globals(), "ROOT", tmp_path)

    assert len(breaches(RULES[0], path)) == 5


def test_a_broken_rule_would_be_found_in_the_real_files() -> None:
    """The walk reaches the linked folders' real places; otherwise every rule holds trivially."""
    tops = {path.relative_to(ROOT).parts[0] for path in FILES}

    assert tops == {"edge_sdk", "devices", "app", "firmware_images"}


@pytest.mark.parametrize("folder", [*CODE, ROOT / "tests"], ids=lambda folder: folder.name)
def test_files_stay_small(folder: Path) -> None:
    sizes = {path: len(path.read_text("utf-8").splitlines()) for path in python_files(folder)}

    assert {path: size for path, size in sizes.items() if size > MAX_LINES} == {}


@pytest.mark.parametrize(
    ("code", "never"),
    [
        ("import edge_sdk", {"tinygrad", "textual", "serial", "numpy", "psutil"}),
        (
            "from edge_sdk.cli import main; assert main(['--help']) == 0",
            {
                "tinygrad",
                "textual",
                "serial",
                "numpy",
                "msgpack",
                "platformdirs",
                "importlib.metadata",
            },
        ),
        (
            "from edge_sdk.cli import main; assert main(['chat', '--help']) == 0",
            {"tinygrad", "textual", "serial"},
        ),
        ("import edge_sdk; edge_sdk.Chat, edge_sdk.open_device", {"tinygrad", "textual", "serial"}),
    ],
)
def test_what_is_not_used_is_not_loaded(code: str, never: set[str]) -> None:
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert never.isdisjoint(done.stdout.split())
