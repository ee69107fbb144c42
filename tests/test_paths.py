from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge_sdk import paths
from edge_sdk.errors import AccessError

FOLDERS = [paths.cache_dir, paths.models_dir, paths.state_dir, paths.config_dir]


def test_one_variable_moves_every_folder(edge_home: Path) -> None:
    found = [folder() for folder in FOLDERS]

    assert all(folder.is_relative_to(edge_home) for folder in found)
    assert len(set(found)) == len(found)


def test_without_the_variable_the_system_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(paths.HOME_VARIABLE)

    assert all("edge-sdk" in folder().parts for folder in FOLDERS)


def test_ensure_makes_a_private_folder(tmp_path: Path) -> None:
    folder = paths.ensure(tmp_path / "a" / "b")

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert paths.ensure(folder) == folder


def test_ensure_says_what_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(AccessError, match="could not be made") as caught:
        paths.ensure(tmp_path / "file" / "folder")

    assert paths.HOME_VARIABLE in (caught.value.hint or "")


def test_write_aside_replaces_only_when_all_is_written(tmp_path: Path) -> None:
    target = tmp_path / "new" / "model.edge"
    with paths.write_aside(target) as aside:
        aside.write_text("first")
        assert not target.exists()

    assert target.read_text() == "first"
    assert list(target.parent.iterdir()) == [target]


def test_an_interrupted_writer_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "model.edge"
    target.write_text("old")

    with pytest.raises(KeyboardInterrupt), paths.write_aside(target) as aside:
        aside.write_text("half")
        raise KeyboardInterrupt

    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_writer_that_writes_nothing_is_an_error_in_words(tmp_path: Path) -> None:
    target = tmp_path / "model.edge"

    with pytest.raises(AccessError, match="could not be written"), paths.write_aside(target):
        pass
