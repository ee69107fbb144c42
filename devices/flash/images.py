"""The images that come with Edge SDK, and an image of the user's own: found and checked.

It knows firmware_images/<board>/manifest.toml; it does not know ports or programmers. Everything
that can be refused is refused here, before a board is touched.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from edge_sdk.boards import BoardImage
from edge_sdk.devices.board.kinds import KINDS, BoardKind, get_kind
from edge_sdk.devices.flash.bitstream import Bitstream, read_bitstream
from edge_sdk.errors import ImageRejected, NotFound
from edge_sdk.firmware_images.manifest import MANIFEST, ROOT, read_manifest

MAX_BYTES = 16 << 20
"""Nothing longer is even read."""
_COMMENT_BYTES = 4096
"""What the readable part of a bitstream may add to its chip's size."""
_SHOWN = ("device", "clock_hz", "achieved_hz", "lut4", "block_rams", "lanes", "bytes")
"""What is worth telling of a manifest besides build and hash."""


def list_images(root: Path | None = None) -> list[BoardImage]:
    """Every image with a manifest that can be read, by board; the files are not checked yet."""
    found = []
    for name in KINDS:
        # One that is malformed is told of by choose_image, and hides no other.
        with suppress(NotFound, ImageRejected):
            found.append(_from_manifest((root or ROOT) / name))
    return found


def choose_image(board: str, path: Path | None = None, root: Path | None = None) -> BoardImage:
    """The image for `board`, or the user's own file `path` for it, checked from end to end.

    Raises NotFound if there is none, ImageRejected for one that is damaged, cut short, too long or
    made for another chip, DeviceNotFound for an unknown board.
    """
    kind = get_kind(board)
    if path is not None:
        data = _contents(path)
        code = _check(data, kind, path).usercode
        return BoardImage(board, kind.title, path, hashlib.sha256(data).hexdigest(), None, code)
    folder = (root or ROOT) / board
    if not (folder / MANIFEST).exists():
        raise NotFound(
            f"there is no image for the board {board}.",
            hint=f"build one: `python -m edge_sdk.firmware_images.build {board}` "
            '(pip install "edge-sdk[gateware]"), or name a file with --image.',
        )
    image = _from_manifest(folder)
    read_image(image)
    return image


def read_image(image: BoardImage) -> bytes:
    """The bitstream, checked from end to end; raises ImageRejected."""
    data = _contents(image.path)
    if hashlib.sha256(data).hexdigest() != image.sha256:
        raise _damaged(image.path, "its contents do not match its SHA-256")
    _check(data, get_kind(image.board), image.path)
    return data


def find_build(data: bytes, root: Path | None = None) -> BoardImage | None:
    """The shipped image that `data` is a copy of."""
    digest = hashlib.sha256(data).hexdigest()
    return next((image for image in list_images(root) if image.sha256 == digest), None)


def _from_manifest(folder: Path) -> BoardImage:
    found = read_manifest(folder)
    if found.board != folder.name:
        raise _damaged(folder / MANIFEST, f"it is for the board {found.board!r}")
    details = {name: str(value) for name, value in asdict(found).items() if name in _SHOWN}
    path = folder / found.image
    return BoardImage(found.board, found.title, path, found.sha256, found.build_id, details=details)


def _contents(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise NotFound(f"there is no image {str(path)!r}.", hint="name a .bit file.")
        if path.stat().st_size > MAX_BYTES:
            raise _damaged(path, f"it has more than {MAX_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise _damaged(path, f"it cannot be read: {error.strerror or error}") from error


def _check(data: bytes, kind: BoardKind, path: Path) -> Bitstream:
    if len(data) > kind.bitstream_bytes + _COMMENT_BYTES:
        raise _damaged(path, f"it has {len(data)} bytes, more than a {kind.part} takes")
    found = read_bitstream(data, str(path))
    if found.idcode != kind.idcode:
        raise _other_chip(path, kind, f"a chip with IDCODE {found.idcode:#010x}")
    if found.part is not None and not found.part.startswith(kind.part):
        raise _other_chip(path, kind, f"an {found.part}")
    return found


def _other_chip(path: Path, kind: BoardKind, what: str) -> ImageRejected:
    return ImageRejected(
        f"{str(path)!r} was refused: it is made for {what}, but {kind.name} has an {kind.part} "
        f"({kind.idcode:#010x}).",
        hint="name the board that you have, or choose its image.",
    )


def _damaged(path: Path, why: str) -> ImageRejected:
    return ImageRejected(
        f"{str(path)!r} was refused: {why}.",
        hint="reinstall Edge SDK, or build the image again.",
    )
