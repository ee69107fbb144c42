"""Makes `python3 app` and `python3 tests` work in a fresh clone: a virtual environment, once.

It knows pyproject.toml, pip and `.venv`; it does not know what is started afterwards, and it uses
the standard library only, because nothing else is there yet.

An interpreter that has all it needs is used as it is. Else `.venv` is made without ensurepip, which
Debian leaves out of python3, filled by the pip at hand, and the same command runs again inside it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
READY = VENV / ".ready"
"""Written last: an environment without it was interrupted, and is made anew."""
AGAIN = "EDGE_SDK_BOOTSTRAPPED"
"""Set for the second start, so that an environment that stays incomplete cannot loop."""
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)\s*([^;]*)")
_CLAUSE = re.compile(r"\s*(==|>=|<=|!=|<|>)\s*([0-9][0-9.]*)")


class BootstrapError(Exception):
    """The environment could not be made; str() is a sentence, the second argument the remedy."""


def ensure(extras: Sequence[str] = ()) -> None:
    """Return if this interpreter can run Edge SDK with `extras`; else do not return.

    Then the command runs again in `.venv`, which is made first if it is missing or out of date.
    Ends the process with exit code 1 and a sentence where that fails. The extra `compiler` is added
    where a C compiler is needed and no clang is on PATH.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - the one place that an older Python reaches
        found = ".".join(map(str, sys.version_info[:2]))
        _end(f"Edge SDK needs Python 3.11 or newer; this is {found}.", "install a newer Python.")
    wanted = with_compiler(extras)
    missing = missing_packages(wanted)
    if not missing and _is_this_checkout():
        os.environ.pop(AGAIN, None)
        return
    if os.environ.get(AGAIN):
        names = ", ".join(missing) or "edge_sdk.app"
        _end(f"these stayed missing in .venv: {names}.", "delete the folder .venv and try again.")
    try:
        if not is_ready(wanted):
            install(wanted)
    except BootstrapError as error:
        _end(*error.args)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    _run_again()


def with_compiler(extras: Sequence[str]) -> list[str]:
    """`extras`, and the one that brings a C compiler where one is needed and the system has none.

    The tests need one, for graph ops; so do machines that no prebuilt kernels are shipped for.
    """
    objects = ROOT / "devices" / "tinygrad" / "objects"
    shipped = sys.platform == "linux" and any(objects.glob(f"{platform.machine()}-*.so"))
    found = shutil.which("clang") or os.environ.get("EDGE_CC")
    return [*extras] if found or (shipped and "test" not in extras) else [*extras, "compiler"]


def missing_packages(extras: Iterable[str]) -> list[str]:
    """The requirements of pyproject.toml that this interpreter does not meet."""
    return [text for text in requirements(extras) if not is_met(text)]


def requirements(extras: Iterable[str]) -> list[str]:
    """What pyproject.toml asks for: its dependencies and those of `extras`."""
    import tomllib  # new in 3.11, so not before the version is checked

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *(text for name in extras for text in optional[name])]


def is_met(requirement: str) -> bool:
    """Whether a package like "textual>=8.2,<9" is installed in a version that fits."""
    match = _REQUIREMENT.match(requirement)
    if match is None:
        return False
    try:
        version = _release(metadata.version(match[1]))
    except metadata.PackageNotFoundError:
        return False
    for sign, text in _CLAUSE.findall(match[2]):
        limit = _release(text)
        width = max(len(version), len(limit))
        have, want = (value + (0,) * (width - len(value)) for value in (version, limit))
        fits = {
            "==": have == want,
            "!=": have != want,
            ">=": have >= want,
            "<=": have <= want,
            ">": have > want,
            "<": have < want,
        }
        if not fits[sign]:
            return False
    return True


def is_ready(extras: Iterable[str]) -> bool:
    """Whether `.venv` was finished for this pyproject.toml, with these extras."""
    marker = _read_marker()
    return bool(
        marker
        and marker["pyproject"] == _pyproject_hash()
        and set(marker["extras"]) >= set(extras)
        and _venv_python().exists()
    )


def install(extras: Sequence[str]) -> None:
    """Bring `.venv` to what pyproject.toml says, with `extras`; raises BootstrapError.

    A finished environment is added to; an unfinished one, or one that was made by another Python
    or before the checkout was moved, is made anew.
    """
    marker = _read_marker()
    keep = sorted({*extras, *(marker["extras"] if marker else ())})
    size = "500 MB on disk, most of it a C compiler" if "compiler" in keep else "200 MB on disk"
    what = "updating" if marker else "first start: installing"
    _tell(f"{what} the packages in .venv (about {size}); this may take a few minutes.")
    READY.unlink(missing_ok=True)
    if marker is None:
        making = [_base_python(), "-m", "venv", "--clear", "--without-pip", str(VENV)]
        _call(making, "making .venv")
    target = f"{ROOT}[{','.join(keep)}]" if keep else str(ROOT)
    options = ["--progress-bar", "off", "--disable-pip-version-check", "--no-input", "--editable"]
    _call([*_pip(), "install", *options, target], "installing the packages")
    text = json.dumps(_origin() | {"pyproject": _pyproject_hash(), "extras": keep})
    READY.write_text(text, "utf-8")


def _read_marker() -> dict[str, Any] | None:
    """What the last finished install wrote; None if there is none that this Python may reuse."""
    try:
        marker: dict[str, Any] = json.loads(READY.read_text("utf-8"))
        reusable = {key: marker[key] for key in _origin()} == _origin()
        return marker if reusable and isinstance(marker["extras"], list) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _origin() -> dict[str, object]:
    """What an environment is bound to."""
    return {"python": list(sys.version_info[:2]), "root": str(ROOT)}


def _pyproject_hash() -> str:
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()


def _pip() -> list[str]:
    """A command that installs into `.venv`: the pip at hand, else ensurepip's."""
    into = ["--python", str(_venv_python())]
    own = [_base_python(), "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True).returncode == 0:
        return [*own, *into]
    program = shutil.which("pip3") or shutil.which("pip")
    if program:
        return [program, *into]
    if importlib.util.find_spec("ensurepip"):
        _call([str(_venv_python()), "-m", "ensurepip"], "installing pip")
        return [str(_venv_python()), "-m", "pip"]
    raise BootstrapError(
        "pip was not found, and it is needed to install the packages.",
        "install pip, for example with `apt install python3-pip`.",
    )


def _call(command: list[str], what: str) -> None:
    """Run to the end; on a terminal, a line tells the seconds and what the program said last."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        try:
            # No parentheses around two of these: Python 3.8 has to read as far as the sentence
            # that says that it is too old.
            with log.open("wb") as out:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
                )
            with process:
                _wait(process, log)
        except OSError as error:
            raise BootstrapError(f"{what} failed: {error}.", "look at the file it names.") from None
        if process.returncode:
            # The lines that say what happened stand somewhere in the last part of pip's output.
            tail = "\n".join(_lines(log)[-24:])
            raise BootstrapError(f"{what} failed:\n{tail}", "mend that, then start again.")


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    began = time.monotonic()
    watched = sys.stderr.isatty()
    while True:
        try:
            process.wait(0.5 if watched else None)
            break
        except subprocess.TimeoutExpired:
            said = (_lines(log) or [""])[-1]
            line = f"{time.monotonic() - began:4.0f} s  {said}"
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{line[:width]}", end="", file=sys.stderr, flush=True)
    if watched:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _lines(log: Path) -> list[str]:
    text = log.read_text("utf-8", "replace")
    return [line for line in text.splitlines() if line.strip()]


def _run_again() -> NoReturn:
    """Run the same command with `.venv`'s Python; does not return."""
    command = [str(_venv_python()), *sys.orig_argv[1:]]
    environment = os.environ | {AGAIN: "1"}
    if os.name == "nt":  # there, exec returns to the shell before the new process ends
        raise SystemExit(subprocess.call(command, env=environment))
    sys.stderr.flush()
    os.execve(command[0], command, environment)


def _is_this_checkout() -> bool:
    """Whether `edge_sdk.app` would be imported from here (a link, or the editable install)."""
    spec = importlib.util.find_spec("edge_sdk.app")
    return bool(spec and spec.origin and Path(spec.origin).resolve().parent == ROOT / "app")


def _base_python() -> str:
    """The Python that environments are made from: not one inside `.venv`, which may be cleared."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _release(version: str) -> tuple[int, ...]:
    """ "8.2.0rc1" -> (8, 2, 0): enough for the limits that pyproject.toml states."""
    match = re.match(r"[0-9]+(\.[0-9]+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def _tell(text: str) -> None:
    print(f"edge-sdk: {text}", file=sys.stderr, flush=True)


def _end(message: str, hint: str) -> NoReturn:
    _tell(message)
    print(f"hint: {hint}", file=sys.stderr)
    raise SystemExit(1)
