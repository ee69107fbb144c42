from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import edge_sdk

SOURCE = Path(edge_sdk.__file__)


def names_for_type_checkers() -> dict[str, str]:
    """Name -> module, as the TYPE_CHECKING block of the package says."""
    tree = ast.parse(SOURCE.read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: str(node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_all_is_sorted_and_has_no_name_twice() -> None:
    assert edge_sdk.__all__ == sorted(set(edge_sdk.__all__))


def test_type_checkers_see_the_same_names() -> None:
    assert sorted(names_for_type_checkers()) == edge_sdk.__all__


@pytest.mark.parametrize("name", edge_sdk.__all__)
def test_a_public_name_is_what_its_module_has(name: str) -> None:
    module = import_module(names_for_type_checkers()[name])

    assert getattr(edge_sdk, name) is getattr(module, name)


@pytest.mark.parametrize("name", edge_sdk.__all__)
def test_a_public_name_explains_itself(name: str) -> None:
    assert (getattr(edge_sdk, name).__doc__ or "").strip()


def test_dir_lists_the_public_names() -> None:
    assert set(edge_sdk.__all__) < set(dir(edge_sdk))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        edge_sdk.nothing  # noqa: B018


def test_star_import_gives_every_name() -> None:
    script = "import edge_sdk; from edge_sdk import *; assert {*edge_sdk.__all__} <= {*globals()}"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=SOURCE.parent.parent, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
