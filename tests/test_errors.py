from __future__ import annotations

import ast
import pickle
import re
from pathlib import Path

import pytest

from edge_sdk import errors
from edge_sdk.errors import EdgeError

TREE = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, EdgeError)
]


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    drawn = dict(re.findall(r"(\w+) +(\d) ", errors.__doc__ or ""))

    assert drawn == {kind.__name__: str(kind.exit_code) for kind in TREE}


def test_the_tree_is_drawn_in_its_real_shape() -> None:
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    (\|   |    )?[|`]-- (\w+)", line)
        if match:
            parent = getattr(errors, match[2]).__bases__[0]
            assert (parent is EdgeError) == (match[1] is None), match[2]


@pytest.mark.parametrize("kind", TREE)
def test_an_error_tells_its_sentence_hint_and_code(kind: type[EdgeError]) -> None:
    error = kind("it broke.", hint="mend it.")

    assert str(error) == error.message == "it broke."
    assert error.to_json() == {
        "error": kind.__name__,
        "message": "it broke.",
        "hint": "mend it.",
        "exit_code": kind.exit_code,
    }


@pytest.mark.parametrize("kind", TREE)
def test_exit_codes_fit_a_shell(kind: type[EdgeError]) -> None:
    assert 1 <= kind.exit_code <= 8


def test_an_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(errors.DeviceBusy("in use.", hint="close it.")))  # noqa: S301

    assert (error.message, error.hint) == ("in use.", "close it.")


def calls_of_errors() -> list[tuple[str, ast.Call]]:
    """Every place in the sources where an error is made, as (file:line, call)."""
    names = {kind.__name__ for kind in TREE}
    root = Path(errors.__file__).parent.parent
    files = (
        path for folder in ("edge_sdk", "devices", "app") for path in root.glob(f"{folder}/**/*.py")
    )
    return [
        (f"{path.relative_to(root)}:{node.lineno}", node)
        for path in {file.resolve() for file in files}
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    ]


def test_every_error_says_what_to_do() -> None:
    calls = calls_of_errors()
    without = [place for place, call in calls if "hint" not in {word.arg for word in call.keywords}]

    assert len(calls) > 50
    assert without == []
