"""What `edge-sdk doctor` looks at, one function a subject.

It knows what has to be in order and what mends it; it does not know how that is shown. A check
never raises: whatever goes wrong is its finding.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk import bootstrap, paths
from edge_sdk.cli.output import format_bytes, format_latency
from edge_sdk.errors import EdgeError

if TYPE_CHECKING:
    from edge_sdk.device import DeviceInfo
    from edge_sdk.telemetry import Reading

SENSOR_PAUSE = 0.3
"""Seconds between two looks at a sensor that counts energy: one look gives no power."""


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """Something is missing, and Edge SDK works without it."""
    FAILED = "failed"
    ABSENT = "absent"
    """Hardware that most machines lack; nothing is wrong."""


@dataclass(frozen=True)
class Check:
    """One finding, as a sentence, and what would mend it."""

    name: str
    status: Status
    message: str
    remedy: str | None = None


def check_python() -> Iterator[Check]:
    """The interpreter and the machine."""
    bits = 64 if sys.maxsize > 2**32 else 32
    message = f"Python {platform.python_version()} ({bits} bit) on {platform.platform()}."
    if bits == 64:
        yield Check("python", Status.OK, message)
    else:
        yield Check("python", Status.FAILED, message, "install a 64-bit Python.")


def check_packages() -> Iterator[Check]:
    """The packages that Edge SDK depends on, in the versions that it was made for."""
    try:
        # Where it is installed, the package knows them; in a bare checkout, pyproject.toml does.
        lines = metadata.requires("edge-sdk") or []
        wanted = [line for line in lines if "extra ==" not in line]
    except metadata.PackageNotFoundError:
        wanted = bootstrap.requirements(())
    missing = [requirement for requirement in wanted if not bootstrap.is_met(requirement)]
    if missing:
        command = " ".join(f"'{requirement}'" for requirement in missing)
        message = f"these packages are missing or have another version: {', '.join(missing)}."
        yield Check("packages", Status.FAILED, message, f"run `pip install {command}`.")
    else:
        yield Check("packages", Status.OK, f"all {len(wanted)} packages have versions that fit.")


def check_devices(devices: list[DeviceInfo]) -> Iterator[Check]:
    """What a model can run on, with the details that its provider tells (compiler, kernels)."""
    for info in devices:
        if info.usable:
            told = "".join(f"; {key}: {value}" for key, value in sorted(info.details.items()))
            yield Check("device", Status.OK, f"{info.uri} is usable: {info.name}{told}.")
            continue
        # A provider that broke is listed under its scheme, so the CPU's may have another kind.
        status = {"cpu": Status.FAILED, "provider": Status.WARNING}.get(info.kind, Status.ABSENT)
        status = Status.FAILED if info.uri == "cpu" else status
        reason = (info.reason or "its provider gives no reason").rstrip(".")
        yield Check("device", status, f"{info.uri} is not usable: {reason}.", info.remedy)


def check_inference(model_name: str) -> Iterator[Check]:
    """Whether the CPU really computes: loads a model and feeds it one token; then its power."""
    from edge_sdk.hub import load_model
    from edge_sdk.registry import open_device

    begin = time.perf_counter()
    try:
        with open_device("cpu") as device:
            model = load_model(model_name)
            session = device.load(model)
            scores = session.feed([model.config.bos_token_id or 0]).logits
            session.close()
            seconds = time.perf_counter() - begin
            if not bool(abs(scores).max() < float("inf")):
                yield Check(
                    "inference",
                    Status.FAILED,
                    f"{model_name!r} gave scores on the CPU that are no numbers.",
                    "update tinygrad and the compiler; if that does not help, report it.",
                )
                return
            took = format_latency(seconds)
            message = f"the CPU ran one token of {model_name!r}; {took} with loading."
            yield Check("inference", Status.OK, message)
            device.telemetry()
            time.sleep(SENSOR_PAUSE)
            yield _power(device.telemetry()["power"])
    except EdgeError as error:
        yield Check("inference", Status.FAILED, error.message, error.hint)
    except Exception as error:
        message = f"the CPU could not run {model_name!r}: {type(error).__name__}: {error}."
        yield Check("inference", Status.FAILED, message, "report this as a bug of Edge SDK.")


def _power(reading: Reading) -> Check:
    if reading.value is None:
        reason = (reading.reason or "no reason is known").rstrip(".")
        message = f"the CPU's power is unavailable: {reason}."
        return Check("power", Status.WARNING, message, reading.remedy)
    figure = f"{reading.provenance.sign}{reading.value:.1f} {reading.unit}"
    message = f"{figure} now, {reading.provenance.value} ({reading.source}, {reading.scope})."
    return Check("power", Status.OK, message)


def check_models() -> Iterator[Check]:
    """The packed models at hand."""
    from edge_sdk.hub import list_models

    try:
        models = list_models()
    except EdgeError as error:
        yield Check("models", Status.FAILED, error.message, error.hint)
        return
    for model in models:
        message = f"{model.name}, {format_bytes(model.size)}, at {str(model.path)!r}."
        yield Check("model", Status.OK, message)
    if not models:
        yield Check(
            "models", Status.WARNING, "no model is installed.", "run `edge-sdk pull` for one."
        )


def check_serial_ports() -> Iterator[Check]:
    """The serial ports of boards, and whether this user may use them."""
    try:
        from serial.tools import list_ports

        ports = sorted(list_ports.comports())
    except Exception as error:  # pyserial has its own module for each system, with its own errors
        message = f"the serial ports could not be listed: {error}."
        yield Check("serial", Status.WARNING, message, "reinstall pyserial.")
        return
    if not ports:
        yield Check("serial", Status.OK, "no serial port was found; only boards need one.")
    for port in ports:
        described = port.description not in ("n/a", port.device)
        label = f"{port.device} ({port.description})" if described else port.device
        if os.name == "nt" or os.access(port.device, os.R_OK | os.W_OK):
            yield Check("serial", Status.OK, f"{label} may be used.")
        else:
            group = "uucp" if Path("/etc/arch-release").exists() else "dialout"
            remedy = f"run `sudo usermod -a -G {group} $USER`, then log in again."
            message = f"{label} may not be read and written by this user."
            yield Check("serial", Status.WARNING, message, remedy)


def check_folders() -> Iterator[Check]:
    """The folders that Edge SDK writes to."""
    folders = {
        "cache": paths.cache_dir(),
        "models": paths.models_dir(),
        "state": paths.state_dir(),
        "settings": paths.config_dir(),
    }
    for name, folder in folders.items():
        where = folder
        while not where.exists() and where != where.parent:
            where = where.parent
        try:
            with tempfile.TemporaryFile(dir=where):
                free = format_bytes(shutil.disk_usage(where).free)
        except OSError as error:
            message = f"the folder for {name}, {str(folder)!r}, is not writable: {error.strerror}."
            remedy = f"make it writable, or set {paths.HOME_VARIABLE} to a folder that is."
            yield Check("folder", Status.WARNING, message, remedy)
        else:
            yield Check("folder", Status.OK, f"{name}: {str(folder)!r}, {free} free.")


def check_terminal() -> Iterator[Check]:
    """Whether the chat app can be shown here."""
    encoding = (sys.stdout.encoding or "ascii").lower()
    if encoding.replace("-", "") != "utf8":
        message = f"output is encoded as {encoding}; characters beyond it are shown as '?'."
        yield Check("terminal", Status.WARNING, message, "set LANG to a UTF-8 locale.")
    elif not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        yield Check("terminal", Status.OK, "no terminal here; `edge-sdk chat` uses plain text.")
    elif os.environ.get("TERM", "dumb") == "dumb":
        message = "TERM is 'dumb' or not set, so `edge-sdk chat` uses plain text."
        yield Check("terminal", Status.WARNING, message, "set TERM, e.g. to xterm-256color.")
    else:
        size = shutil.get_terminal_size()
        kind = os.environ["TERM"]
        yield Check("terminal", Status.OK, f"{kind}, {size.columns} columns, {size.lines} lines.")
