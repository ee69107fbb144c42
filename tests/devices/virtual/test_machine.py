from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk import paths
from edge_sdk.devices.board.kinds import BoardKind, get_kind
from edge_sdk.devices.virtual.engine import Engine
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.devices.virtual.machine import FLASH, NO_BUILD, SRAM, VirtualBoard
from edge_sdk.errors import DeviceTimeout
from edge_sdk.registry import open_device
from tests.devices.flash.bench import BUILD, KIND, bitstream, image_folder


class Booted(IntegerEngine):
    """Remembers what it was booted from."""

    def __init__(self, kind: BoardKind, build: str) -> None:
        super().__init__(kind, build)
        self.build = build


def build_of(engine: Engine | None) -> str | None:
    assert engine is None or isinstance(engine, Booted)
    return engine.build if engine else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "board"


def test_without_any_image_it_runs_as_delivered(folder: Path, tmp_path: Path) -> None:
    assert build_of(VirtualBoard(KIND, Booted, folder, tmp_path).engine()) == NO_BUILD
    image_folder(tmp_path)
    assert build_of(VirtualBoard(KIND, Booted, folder, tmp_path).engine()) == BUILD


def test_what_is_loaded_runs_until_it_is_switched_off(folder: Path, tmp_path: Path) -> None:
    image_folder(tmp_path)
    board = VirtualBoard(KIND, Booted, folder, tmp_path)
    (folder / FLASH).write_bytes(bitstream(usercode=1))
    assert build_of(board.engine()) == f"{1:016x}"
    (folder / SRAM).write_bytes(bitstream())
    assert build_of(board.engine()) == BUILD
    again = board.engine()
    assert again is board.engine()
    assert build_of(VirtualBoard(KIND, Booted, folder, tmp_path).engine()) == f"{1:016x}"
    assert not (folder / SRAM).exists()


@pytest.mark.parametrize(
    "data", [b"", bitstream()[:-1], bitstream(get_kind("ulx3s-12f")), b"\0" * 5000]
)
def test_what_it_cannot_run_leaves_it_silent(folder: Path, tmp_path: Path, data: bytes) -> None:
    board = VirtualBoard(KIND, Booted, folder, tmp_path)
    (folder / SRAM).write_bytes(data)
    assert board.engine() is None
    (folder / SRAM).unlink()
    assert build_of(board.engine()) == NO_BUILD
    board.close()


def test_a_board_in_this_process_leaves_a_served_ones_folder_alone() -> None:
    folder = paths.state_dir() / "boards" / KIND.name
    folder.mkdir(parents=True)
    (folder / SRAM).write_bytes(b"loaded into another board")
    with open_device("sim:ulx3s-85f") as device:
        assert device.info.usable
    assert (folder / SRAM).exists()
    (folder / FLASH).write_bytes(b"half an image")
    with pytest.raises(DeviceTimeout, match="no image that it can run") as caught:
        open_device("sim:ulx3s-85f")
    assert "edge-sdk flash ulx3s-85f" in (caught.value.hint or "")
