"""What is installed: exactly the tree, under the names that pyproject.toml gives it."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from edge_sdk import __version__, bootstrap

ROOT = Path(__file__).parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS: dict[str, Any] = PYPROJECT["tool"]["setuptools"]
MAPPED = {folder: name for name, folder in SETUPTOOLS["package-dir"].items()}
"""Folder at the top -> name of the package."""
UNSHIPPED = ("__pycache__", "*.pyc", ".*", "*.md")
"""What a package folder may hold that nobody needs at run time."""


def tree() -> Iterator[Path]:
    """All files of the packages, relative to the root; linked folders stand at the top."""
    for top in ("edge_sdk", *MAPPED):
        for parent, folders, names in os.walk(ROOT / top):
            folders[:] = [
                name
                for name in folders
                if not (Path(parent) / name).is_symlink() and name != "__pycache__"
            ]
            yield from ((Path(parent) / name).relative_to(ROOT) for name in names)


def package_of(folder: Path) -> str:
    top, *rest = folder.parts
    return ".".join([MAPPED.get(top, top), *rest])


FILES = sorted(tree())


def is_data(path: Path) -> bool:
    return path.suffix != ".py" and not any(fnmatch.fnmatch(path.name, p) for p in UNSHIPPED)


def is_declared(path: Path) -> bool:
    """Whether a pattern of package-data covers `path`."""
    for parent in path.parents:
        patterns = SETUPTOOLS["package-data"].get(package_of(parent), []) if parent.parts else []
        if any(path.relative_to(parent).match(pattern) for pattern in patterns):
            return True
    return False


def test_every_folder_with_code_is_a_listed_package() -> None:
    folders = {package_of(path.parent) for path in FILES if path.suffix == ".py"}

    assert sorted(SETUPTOOLS["packages"]) == sorted(folders)


def test_every_package_has_an_init_file() -> None:
    folders = {path.parent for path in FILES if path.suffix == ".py"}

    assert [folder for folder in sorted(folders) if folder / "__init__.py" not in FILES] == []


def test_every_data_file_is_declared() -> None:
    assert [str(path) for path in FILES if is_data(path) and not is_declared(path)] == []


def test_links_make_the_checkout_look_like_the_installation() -> None:
    for folder, name in MAPPED.items():
        link = ROOT / name.replace(".", "/")
        assert link.is_symlink()
        assert not link.readlink().is_absolute()
        assert link.resolve() == ROOT / folder


def test_every_dependency_says_why_it_is_there() -> None:
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    for requirement in PYPROJECT["project"]["dependencies"]:
        index = next(i for i, line in enumerate(lines) if f'"{requirement}"' in line)
        assert lines[index - 1].lstrip().startswith("#"), requirement


def test_entry_points_resolve() -> None:
    project = PYPROJECT["project"]
    for group in (project["scripts"], *project["entry-points"].values()):
        for name, value in group.items():
            assert metadata.EntryPoint(name, value, "any").load() is not None


def _builder() -> str | None:
    """Why a wheel cannot be built here, or None."""
    needed = PYPROJECT["build-system"]["requires"]
    return None if all(map(bootstrap.is_met, needed)) else f"needs {', '.join(needed)}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy, because building leaves files behind."""
    if (reason := _builder()) is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for path in FILES:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    for name in MAPPED:
        link = MAPPED[name].replace(".", "/")
        (source / link).symlink_to((ROOT / link).readlink())
    for name in ("pyproject.toml", PYPROJECT["project"]["readme"], "LICENSE"):
        shutil.copy(ROOT / name, source)
    script = "import sys; from setuptools import build_meta; print(build_meta.build_wheel('..'))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


def test_the_wheel_holds_the_tree(wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {_installed_name(path) for path in FILES if path.suffix == ".py" or is_data(path)}

    assert {name for name in shipped if not name.endswith(".md")} == wanted


def _installed_name(path: Path) -> str:
    top, *rest = path.parts
    return "/".join([*MAPPED.get(top, top).split("."), *rest])


def test_the_wheel_works_where_there_is_no_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    script = (
        "import edge_sdk, edge_sdk.app, edge_sdk.devices, edge_sdk.firmware_images\n"
        "from importlib.metadata import distribution\n"
        "found = distribution('edge-sdk')\n"
        "assert all(entry.load() for entry in found.entry_points)\n"
        "print(edge_sdk.__file__, found.version)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    place, version = done.stdout.split()
    assert Path(place).is_relative_to(site)
    assert version == __version__
