"""Where Edge SDK keeps its files; nothing else in the SDK builds such a path.

It knows folders; it does not know what is in the files.
`EDGE_SDK_HOME` moves all of them under one folder (tests, read-only homes, portable installs).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from edge_sdk.errors import AccessError

HOME_VARIABLE = "EDGE_SDK_HOME"


def _folder(kind: str, default: str) -> Path:
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser() / kind if home else Path(default)


def cache_dir() -> Path:
    """Files that can be made again: compiled kernels, the compiler shim, partial downloads."""
    return _folder("cache", platformdirs.user_cache_dir("edge-sdk", appauthor=False))


def models_dir() -> Path:
    """Packed models, one `<name>.edge` each (`owner/name` becomes a sub-folder)."""
    return _folder("data", platformdirs.user_data_dir("edge-sdk", appauthor=False)) / "models"


def state_dir() -> Path:
    """Files that a user would miss: chat history, logs."""
    return _folder("state", platformdirs.user_state_dir("edge-sdk", appauthor=False))


def config_dir() -> Path:
    """Settings."""
    return _folder("config", platformdirs.user_config_dir("edge-sdk", appauthor=False))


def ensure(folder: Path) -> Path:
    """Make `folder` (mode 0700) and return it; raises AccessError where that is not allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise AccessError(
            f"the folder {str(folder)!r} could not be made: {error.strerror or error}.",
            hint=f"make it writable, or set {HOME_VARIABLE} to a folder that is.",
        ) from error
    return folder


@contextmanager
def write_aside(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it to `target` only if the block succeeds.

    A reader therefore sees the old file or the whole new one, never half of one, and a failed or
    interrupted writer leaves nothing behind. Raises AccessError where the folder is not writable.
    """
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        aside.replace(target)
    except OSError as error:
        raise AccessError(
            f"{str(target)!r} could not be written: {error.strerror or error}.",
            hint="choose a writable folder with enough free space.",
        ) from error
    finally:
        # Never let the clean-up hide what went wrong (a path that is a file, has a NUL, ...).
        with suppress(OSError, ValueError):
            aside.unlink(missing_ok=True)
