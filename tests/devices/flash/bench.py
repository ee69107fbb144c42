"""Bitstreams, image folders and the fake programmer for tests; nothing here checks anything."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path

from edge_sdk.devices.board.kinds import BoardKind, get_kind
from edge_sdk.firmware_images.manifest import MANIFEST, ImageManifest

KIND: BoardKind = get_kind("ulx3s-85f")
BUILD = "00112233deadbeef"
FAKE = Path(__file__).with_name("fake_openfpgaloader.py")


def bitstream(
    kind: BoardKind = KIND,
    *,
    usercode: int = 0xDEADBEEF,
    size: int = 24_000,
    part: str | None = None,
    idcode: int | None = None,
) -> bytes:
    """Head and tail as ecppack writes them, `size` bytes in all; the frames between are noise."""
    comment = f"Part: {part or kind.part + '-6CABGA381'}\0".encode()
    head = b"\xff\x00" + comment + b"\xff\xff\xff\xbd\xb3\xff\xff\xff\xff\x3b\0\0\0\xe2\0\0\0"
    head += (idcode or kind.idcode).to_bytes(4, "big") + b"\x22\0\0\0\x40\0\0\0\x46\0\0\0"
    tail = b"\xff" * 15 + b"\xc2\x80\0\0" + usercode.to_bytes(4, "big") + b"\x96\x0b"
    tail += b"\x5e\0\0\0\xff\xff\xff\xff"
    noise = bytes(index * 7 % 251 for index in range(size - len(head) - len(tail)))
    return head + noise + tail


def image_folder(root: Path, kind: BoardKind = KIND, data: bytes | None = None) -> Path:
    """`root`/<board> with an image and its manifest; returns the bitstream's path."""
    folder = root / kind.name
    folder.mkdir(parents=True, exist_ok=True)
    data = bitstream(kind) if data is None else data
    path = folder / f"{kind.name}.bit"
    path.write_bytes(data)
    manifest = ImageManifest(
        board=kind.name,
        title=kind.title,
        device=kind.part,
        image=path.name,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        build_id=BUILD,
        clock_hz=kind.clock_hz,
        achieved_hz=80_500_000,
        lut4=1,
        flip_flops=1,
        block_rams=1,
        multipliers=1,
        lanes=10,
        memory_bits=16,
        memory_words=1,
        x_depth=1,
        s_depth=1,
        a_depth=1,
        b_depth=1,
        q_depth=1,
        seed=1,
        options="",
        source_hash="",
        tools={"yosys": "1"},
        idcode=f"{kind.idcode:#010x}",
    )
    (folder / MANIFEST).write_text(manifest.to_toml())
    return path


def fake_programmer(folder: Path) -> Path:
    """An executable that runs fake_openfpgaloader.py with this Python."""
    path = folder / "openFPGALoader"
    # -S -E: it needs nothing but the standard library, and starts in a third of the time.
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{FAKE}" "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fake_settings(programmer: Path, folder: Path, failure: str = "") -> dict[str, str]:
    """Environment of a host whose board is the virtual one with `folder`."""
    return {
        "EDGE_OPENFPGALOADER": str(programmer),
        "FAKE_BOARD_FOLDER": str(folder),
        "FAKE_BOARD_IDCODE": f"{KIND.idcode:08x}",
        "FAKE_FAILURE": failure,
        "PATH": os.environ.get("PATH", ""),
    }
