"""Fetches the files of a published checkpoint with the huggingface_hub client.

It knows the client, the file names and what its errors mean; it does not know what the files hold.
"""

from __future__ import annotations

import errno
import glob
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from edge_sdk.device import Progress
from edge_sdk.errors import AccessError, EdgeError, LinkError, MissingExtra, ModelRejected, NotFound

WANTED = (
    "config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer.json",
    "chat.json",
)
"""No pickle is ever downloaded."""
INTERVAL = 0.2
"""Seconds between two looks at how much has arrived."""
_ENDPOINT = "HF_ENDPOINT"


def download(repo: str, folder: Path, progress: Progress | None = None) -> Path:
    """Fetch the checkpoint `owner/name` into a folder below `folder` and return that.

    The folder is named after the commit, so that two versions never mix; files that are complete
    are not fetched again. Raises MissingExtra, NotFound, AccessError, LinkError, or ModelRejected
    where the repository has no safetensors.
    """
    try:
        import huggingface_hub as hub
        import huggingface_hub.constants
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ImportError:
        raise MissingExtra(
            "downloads need the package huggingface_hub, which is not installed.",
            hint='pip install "edge-sdk[pull]"',
        ) from None
    # The client reads the variable once, when it is imported.
    endpoint = os.environ.get(_ENDPOINT) or None
    with _errors(hub, repo):
        info = hub.HfApi(endpoint=endpoint).model_info(repo, files_metadata=True)
        sizes = _wanted(repo, info)
        target = folder / _commit(info)
        with _quiet(hub), _watch(target, sum(sizes.values()), progress):
            hub.snapshot_download(
                repo,
                revision=info.sha,
                local_dir=target,
                endpoint=endpoint,
                allow_patterns=[glob.escape(name) for name in sizes],
            )
    return target


def _wanted(repo: str, info: Any) -> dict[str, int]:
    """File name -> bytes, of the files that are needed; raises ModelRejected."""
    every = {file.rfilename: int(file.size or 0) for file in info.siblings or ()}
    sizes = {
        name: size
        for name, size in every.items()
        if "/" not in name and any(fnmatchcase(name, pattern) for pattern in WANTED)
    }
    if not any(name.endswith(".safetensors") for name in sizes):
        pickles = " (only pickles, which can run any code)" if "pytorch_model.bin" in every else ""
        raise ModelRejected(
            f"{repo!r} has no weights as safetensors{pickles}.",
            hint="choose a repository that has model.safetensors.",
        )
    return sizes


def _commit(info: Any) -> str:
    commit = info.sha
    if not isinstance(commit, str) or not (commit.isascii() and commit.isalnum()):
        raise LinkError(
            "the server named no commit; expected the Hub's protocol.",
            hint="unset HF_ENDPOINT, or name a server that speaks it.",
        )
    return commit


@contextmanager
def _errors(hub: Any, repo: str) -> Iterator[None]:
    """Turn what the client raises into a sentence."""
    errors = hub.errors
    endpoint = os.environ.get(_ENDPOINT) or hub.constants.ENDPOINT
    try:
        yield
    except EdgeError:
        raise
    except errors.GatedRepoError as error:
        raise AccessError(
            f"{repo!r} is given out only after its owner's conditions were accepted.",
            hint=f"accept them at {endpoint}/{repo}, then run `hf auth login`.",
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise NotFound(
            f"{endpoint} has no model {repo!r}, or does not show it without a login.",
            hint="check the name; for a private model run `hf auth login`.",
        ) from error
    except Exception as error:
        # Which library carries the bytes, and what it raises, changes with the client's releases.
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES):
            raise AccessError(
                f"{repo!r} could not be stored: {error.strerror}.",
                hint="free some space, or set EDGE_SDK_HOME to a folder that has it.",
            ) from error
        reason = str(error).strip().partition("\n")[0].rstrip(".")[:200]
        raise LinkError(
            f"the download of {repo!r} from {endpoint} failed: {reason or type(error).__name__}.",
            hint="run it again; complete files are kept. HF_ENDPOINT names another server.",
        ) from error


@contextmanager
def _quiet(hub: Any) -> Iterator[None]:
    """No progress bars and no warnings on stderr but ours."""
    utils = hub.utils
    bars, level = not utils.are_progress_bars_disabled(), utils.logging.get_verbosity()
    utils.logging.set_verbosity_error()
    if bars:
        utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.logging.set_verbosity(level)
        if bars:
            utils.enable_progress_bars()


@contextmanager
def _watch(folder: Path, total: int, progress: Progress | None) -> Iterator[None]:
    """Report the bytes that have arrived, as the file system shows them.

    The client's own progress differs from release to release and from protocol to protocol.
    """
    if progress is None:
        yield
        return
    done = threading.Event()

    def look() -> None:
        while not done.wait(INTERVAL):
            progress("download", min(_bytes_in(folder), total), total)

    watcher = threading.Thread(target=look, name="edge-sdk-download-progress", daemon=True)
    progress("download", 0, total)
    watcher.start()
    try:
        yield
        completed = True
    except BaseException:
        completed = False
        raise
    finally:
        done.set()
        watcher.join()
        if completed:
            progress("download", total, total)


def _bytes_in(folder: Path) -> int:
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            # A file may be renamed between the look at the folder and the look at the file.
            try:
                size += (Path(root) / name).stat().st_size
            except FileNotFoundError:
                continue
    return size
