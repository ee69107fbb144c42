from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.devices.board.kinds import KINDS
from edge_sdk.devices.flash.bitstream import read_bitstream
from edge_sdk.devices.flash.images import MAX_BYTES, choose_image, find_build, list_images
from edge_sdk.errors import DeviceNotFound, ImageRejected, NotFound
from tests.devices.flash.bench import BUILD, KIND, bitstream, image_folder

OTHER = KINDS["ulx3s-12f"]


def test_a_bitstream_tells_its_chip_and_build() -> None:
    found = read_bitstream(bitstream(), "x.bit")

    assert found.part == "LFE5U-85F-6CABGA381"
    assert (found.idcode, found.usercode) == (0x41113043, 0xDEADBEEF)


# What ecppack writes for LFE5U-12F, -25F and -85F without any comment, and the end of it.
ECPPACK = (
    "ff00ffffffbdb3ffffffff3b000000e2000000{}2200000040000000460000000200000",
    "ffffffffffffffffffffffffffc280000012345678960b5e000000ffffffff",
)


@pytest.mark.parametrize("idcode", ["21111043", "41111043", "41113043"])
def test_what_ecppack_writes_is_read(idcode: str) -> None:
    head, tail = ECPPACK
    found = read_bitstream(bytes.fromhex(head.format(idcode) + "0") + bytes.fromhex(tail), "x")

    assert found.idcode == int(idcode, 16)
    assert (found.part, found.usercode) == (None, 0x12345678)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "begin"),
        (b"\x7fELF" + bytes(100), "begin"),
        (bitstream()[:20], "begin"),
        (bitstream()[:44], "chip"),
        (bitstream()[:-1], "ends after 23999 bytes"),
        (bitstream()[: 5 * 4096], "ends after 20480 bytes"),
        (bitstream() + b"\0", "ends after"),
    ],
)
def test_what_is_no_whole_bitstream_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ImageRejected, match=why):
        read_bitstream(data, "x.bit")


@given(st.binary(max_size=200), st.integers(0, 100))
def test_any_bytes_are_read_or_refused(data: bytes, keep: int) -> None:
    for candidate in (data, bitstream(size=400)[:keep] + data):
        try:
            assert read_bitstream(candidate, "x").idcode >= 0
        except ImageRejected as error:
            assert error.hint


def test_the_image_of_a_board_is_chosen_and_checked(tmp_path: Path) -> None:
    path = image_folder(tmp_path)
    image_folder(tmp_path, OTHER)
    image = choose_image(KIND.name, root=tmp_path)

    assert (image.path, image.build, image.board) == (path, BUILD, KIND.name)
    assert image.details["achieved_hz"] == "80500000"
    assert [found.board for found in list_images(tmp_path)] == ["ulx3s-85f", "ulx3s-12f"]
    found = find_build(path.read_bytes(), tmp_path)
    assert found is not None
    assert found.build == BUILD


def test_a_board_without_an_image_and_an_unknown_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no image for the board ulx3s-85f"):
        choose_image(KIND.name, root=tmp_path)
    with pytest.raises(DeviceNotFound, match="'arduino'"):
        choose_image("arduino", root=tmp_path)
    with pytest.raises(NotFound, match="no image"):
        choose_image(KIND.name, tmp_path / "none.bit")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bitstream(OTHER), "IDCODE 0x21111043"),
        (bitstream(part="LFE5U-45F-6CABGA381"), "LFE5U-45F"),
        (bitstream()[:-5000], "without the end"),
        (bitstream(size=KIND.bitstream_bytes + 5000), "more than a LFE5U-85F takes"),
        (b"not a bitstream", "begin"),
    ],
)
def test_a_wrong_image_of_the_users_own_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "own.bit"
    path.write_bytes(data)
    with pytest.raises(ImageRejected, match=why) as caught:
        choose_image(KIND.name, path)
    assert caught.value.exit_code == 6
    assert caught.value.hint


def test_a_shipped_image_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = image_folder(tmp_path)
    data = bytearray(path.read_bytes())
    data[20_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ImageRejected, match="SHA-256"):
        choose_image(KIND.name, root=tmp_path)


@pytest.mark.parametrize(
    "text", ["", "board = 1", "[", 'board = "ulx3s-85f"', "\x00", 'board="ulx3s-12f"\nimage="x"']
)
def test_a_manifest_that_is_off_is_refused(tmp_path: Path, text: str) -> None:
    image_folder(tmp_path)
    (tmp_path / KIND.name / "manifest.toml").write_text(text)
    with pytest.raises(ImageRejected, match=r"manifest\.toml"):
        choose_image(KIND.name, root=tmp_path)


def test_a_manifest_cannot_point_elsewhere(tmp_path: Path) -> None:
    image_folder(tmp_path)
    manifest = tmp_path / KIND.name / "manifest.toml"
    manifest.write_text(manifest.read_text().replace('image = "', 'image = "../'))
    with pytest.raises(ImageRejected, match="another folder"):
        choose_image(KIND.name, root=tmp_path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.bit"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ImageRejected, match="16 MiB"):
        choose_image(KIND.name, path)


def test_every_shipped_image_is_good() -> None:
    for image in list_images():
        chosen = choose_image(image.board)
        assert chosen.build is not None
        assert len(chosen.build) == 16
