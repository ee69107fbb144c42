"""Models by name: the ones that come with the SDK, the installed ones, and how to get more.

It knows names, folders and the download client; it does not know what is in a packed file.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk import models, paths
from edge_sdk.errors import AccessError, ModelRejected, NotFound, UsageError
from edge_sdk.model_file import Model, open_model

if TYPE_CHECKING:
    from edge_sdk.device import Progress

SUFFIX = ".edge"
_SHOWN = 20


@dataclass(frozen=True)
class ModelEntry:
    """One model that `load_model` finds by name."""

    name: str
    """`tern`, or `owner/name` for a downloaded one."""
    path: Path
    size: int
    """Bytes of the packed file."""
    embedded: bool
    """Whether it came with the SDK."""


def list_models() -> list[ModelEntry]:
    """All models that have a name, the embedded ones first; no file is opened.

    A name that is both embedded and installed is listed once, as embedded.
    """
    found: dict[str, ModelEntry] = {}
    for entry in (*_embedded(), *_installed()):
        found.setdefault(entry.name, entry)
    return list(found.values())


def load_model(name_or_path: str | Path, *, verify: bool = True) -> Model:
    """Open a model by name, or a packed file by path. Close it, or use it as a context manager.

    A text that is a known name means that model; write `./tern` for a file of the same name.
    verify: hash the whole file first (see open_model). Raises NotFound that lists the known names,
    UsageError for a checkpoint folder, ModelRejected for a malformed file.
    """
    if isinstance(name_or_path, str):
        for entry in list_models():
            if entry.name == name_or_path:
                return open_model(entry.path, verify=verify, name=entry.name)
    path = Path(name_or_path)
    # "~nobody" has no home, and is then a name like any other.
    with suppress(RuntimeError):
        path = path.expanduser()
    try:
        mode = path.stat().st_mode
    except PermissionError as error:
        raise AccessError(
            f"{str(path)!r} could not be opened: {error.strerror}.",
            hint="make it readable, or choose another model.",
        ) from None
    except (OSError, ValueError):
        # A text that is too long, or has a NUL, is no path.
        raise _unknown(str(name_or_path)) from None
    if stat.S_ISDIR(mode):
        raise UsageError(
            f"{str(path)!r} is a folder; expected a packed model.",
            hint=f"`edge-sdk convert {path} .` packs a checkpoint folder.",
        )
    return open_model(path, verify=verify)


def pull(
    repo: str,
    *,
    name: str | None = None,
    embedding: str = "int8",
    bits: str = "2",
    progress: Progress | None = None,
) -> Path:
    """Download the checkpoint `owner/name`, pack it, and install it under its name (or `name`).

    Returns the path of the packed file. An interrupted download goes on with the files that are
    complete; the checkpoint is removed once it is packed. HF_ENDPOINT names another server.
    `progress` is called from another thread while files come in.
    Raises UsageError, MissingExtra, NotFound, AccessError, LinkError or ModelRejected.
    """
    # Here, because loading a model, which every start does, needs neither.
    from edge_sdk.convert import check_name, convert_checkpoint
    from edge_sdk.download import download

    check_name(repo)
    if "/" not in repo:
        raise UsageError(
            f"{repo!r} is no name of a repository.",
            hint="write OWNER/NAME, like 'ridger/MMfreeLM-370M'.",
        )
    name = repo if name is None else name
    check_name(name)
    target = paths.models_dir() / f"{name}{SUFFIX}"
    folder = paths.ensure(paths.cache_dir() / "downloads" / repo)
    checkpoint = download(repo, folder, progress)
    try:
        convert_checkpoint(
            checkpoint, target, embedding=embedding, bits=bits, name=name, progress=progress
        )
    except ModelRejected:
        # Kept, it would be refused again and again.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return target


def _unknown(name: str) -> NotFound:
    names = [entry.name for entry in list_models()]
    known = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return NotFound(
        f"there is no model {name[:200]!r}; known are {known or 'none'}.",
        hint="`edge-sdk pull OWNER/NAME` downloads one; a packed file is named by its path.",
    )


def _embedded() -> Iterator[ModelEntry]:
    # A folder, not a resource: a model that lies in a zip archive could not be mapped.
    for path in sorted(Path(models.__path__[0]).glob(f"*{SUFFIX}")):
        yield ModelEntry(path.stem, path, path.stat().st_size, True)


def _installed() -> Iterator[ModelEntry]:
    root = paths.models_dir()
    try:
        for path in sorted((*root.glob(f"*{SUFFIX}"), *root.glob(f"*/*{SUFFIX}"))):
            name = path.relative_to(root).as_posix().removesuffix(SUFFIX)
            # A file whose name starts with a dot is one that is being written.
            if not path.name.startswith(".") and path.is_file():
                yield ModelEntry(name, path, path.stat().st_size, False)
    except OSError as error:
        raise AccessError(
            f"the folder of models {str(root)!r} could not be read: {error.strerror}.",
            hint=f"make it readable, or set {paths.HOME_VARIABLE} to a folder that is.",
        ) from None
