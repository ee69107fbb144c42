"""The manifest beside an image: what it is for, what it took, what it was made from.

It knows manifest.toml and the sources of images; it does not know how they are built or loaded.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path

from edge_sdk.errors import ImageRejected, NotFound

MANIFEST = "manifest.toml"
MAX_BYTES = 65_536
ROOT = Path(__file__).parent
_UNUSED = "simulation"
"""Part of the gateware's folder that no image is made from."""


@dataclass(frozen=True)
class ImageManifest:
    """Figures of resources and clock are the report of place and route; nothing here was measured
    on a board."""

    board: str
    title: str
    device: str
    image: str
    """File name, in the same folder."""
    bytes: int
    sha256: str
    build_id: str
    """16 hex digits, which the image's HELLO gives too."""
    clock_hz: int
    """Asked for, and met."""
    achieved_hz: int
    """The highest clock at which timing would be met, in the tool's model."""
    lut4: int
    flip_flops: int
    block_rams: int
    multipliers: int
    lanes: int
    memory_bits: int
    memory_words: int
    x_depth: int
    s_depth: int
    a_depth: int
    b_depth: int
    q_depth: int
    seed: int
    options: str
    source_hash: str
    tools: Mapping[str, str]
    """Package to version."""
    idcode: str = ""
    """Hexadecimal; empty where images do not carry it."""

    def to_toml(self) -> str:
        """The file."""
        values = asdict(self)
        tools = values.pop("tools")
        lines = [f"{name} = {_quoted(value)}" for name, value in values.items()]
        lines += ["", "[tools]"]
        lines += [f"{_quoted(name)} = {_quoted(tools[name])}" for name in sorted(tools)]
        return "\n".join(lines) + "\n"


def read_manifest(folder: Path) -> ImageManifest:
    """The manifest in `folder`; raises NotFound, or ImageRejected for one that is malformed."""
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotFound(
            f"there is no image manifest {str(path)!r}.",
            hint=f"build the image: `python -m edge_sdk.firmware_images.build {folder.name}`.",
        ) from error
    if len(data) > MAX_BYTES:
        raise _malformed(path, f"it has more than {MAX_BYTES} bytes")
    try:
        raw = tomllib.loads(data.decode())
    except ValueError as error:
        raise _malformed(path, f"it is no TOML: {error}") from None
    types = {"str": str, "int": int}
    for field in fields(ImageManifest):
        if field.name not in raw and field.default is not MISSING:
            continue
        wanted = types.get(str(field.type), dict)
        value = raw.get(field.name)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise _malformed(path, f"{field.name!r} is missing or no {wanted.__name__}")
    if raw.keys() - {field.name for field in fields(ImageManifest)}:
        raise _malformed(path, "it has fields that no manifest has")
    if not all(isinstance(version, str) for version in raw["tools"].values()):
        raise _malformed(path, "its tool versions are no texts")
    if Path(raw["image"]).name != raw["image"]:
        raise _malformed(path, "its image is in another folder")
    return ImageManifest(**raw)


def source_hash(root: Path = ROOT) -> str:
    """Of the sources that images are made from: 32 hex digits, the same on every system."""
    files = {
        path.relative_to(root).as_posix(): path
        for folder in ("gateware", "contract")
        for path in (root / folder).rglob("*.py")
        if _UNUSED not in path.relative_to(root).parts
    }
    total = hashlib.blake2s(digest_size=16)
    for name in sorted(files):
        text = files[name].read_text("utf-8").encode()
        total.update(f"{name}\0{len(text)}\0".encode() + text)
    return total.hexdigest()


def _quoted(value: str | int) -> str:
    """As TOML, whose strings are JSON's but for two things."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _malformed(path: Path, why: str) -> ImageRejected:
    return ImageRejected(
        f"the image manifest {str(path)!r} was refused: {why}.",
        hint="reinstall Edge SDK, or build the image again.",
    )
