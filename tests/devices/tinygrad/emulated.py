"""Runs the C kernels of a processor that this machine is not, under user-mode emulation.

The whole kernel source is compiled for aarch64, linked to emulated_runner.c and run by
qemu-aarch64. Python and the emulated program map the same file at the same address, so every
pointer in a Work means the same to both: what test_kernels.py asks of kernels loaded here, it
asks of these. It knows compilers, the emulator and that memory; it does not know what is tested.
"""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.devices.tinygrad import fast_model, self_test, workers
from edge_sdk.devices.tinygrad.structures import Layer, ModelTable, Op, Pool, Span, Work

PROCESSORS = {"NEON": "cortex-a72", "NEON dot product": "cortex-a76"}
"""Tier -> a processor that takes it, in clang's words."""
RUNNER = Path(__file__).parent / "emulated_runner.c"
FLAGS = ["-c", "-x", "c", "-O2", "-fPIC", "-ffreestanding", "-fno-math-errno", "-nostdlib"]
FLAGS += ["-g0", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"]
FLAGS += ["-Wall", "-Wextra", "-Werror", "-Wno-psabi"]
"""As tinygrad's, and every warning an error."""
ADDRESS = 1 << 36
"""Far from where Linux puts programs, heaps and libraries on x86-64, and from qemu's guest."""
BYTES = 1 << 31
"""Pages that nobody writes take no room."""
CALL, WAKE = 0, 1

Structure = TypeVar("Structure", bound="ctypes.Structure | ctypes.Array[Any]")


def emulator() -> str | None:
    """qemu's user-mode emulator of 64-bit Arm, if it is installed."""
    return shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")


def compilers() -> tuple[list[str], list[str]] | None:
    """(command for a bare object, command for a static program); None if there are not both."""
    clang, linker = shutil.which("clang"), shutil.which("aarch64-linux-gnu-gcc")
    if clang and linker:
        return [clang, "--target=aarch64-none-unknown-elf", "-ffixed-x18"], [linker, "-pthread"]
    # Second, because zig first builds a C library, for a minute.
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    zig = [str(Path(spec.submodule_search_locations[0]) / "zig"), "cc", "-fno-sanitize=all"]
    return [*zig, "-target", "aarch64-freestanding-none"], [*zig, "-target", "aarch64-linux-musl"]


def build(text: str, processor: str, folder: Path) -> Path:
    """The emulated program with kernels of source `text` for `processor`; skips without tools."""
    found = compilers()
    if found is None:
        pytest.skip("neither clang with aarch64-linux-gnu-gcc nor ziglang is installed")
    compiler, linker = found
    kernels, program = folder / "kernels.o", folder / "runner"
    # zig writes its own names of processors with underscores.
    cpu = processor.replace("-", "_") if "-target" in compiler else processor
    _run([*compiler, f"-mcpu={cpu}", *FLAGS, "-", "-o", str(kernels)], text)
    _run([*linker, "-static", "-O1", str(RUNNER), str(kernels), "-o", str(program)])
    return program


def _run(command: list[str], text: str | None = None) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Memory:
    """A file mapped at ADDRESS, given out piece by piece and never taken back."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with file.open("wb") as opened:
            opened.truncate(BYTES)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        integers = (ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
        libc.mmap.argtypes = [ctypes.c_void_p, *integers]
        read_write, shared_there_only = 3, 0x100001
        with file.open("r+b") as opened:
            at = libc.mmap(ADDRESS, BYTES, read_write, shared_there_only, opened.fileno(), 0)
        if at != ADDRESS:
            pytest.skip(f"address {ADDRESS:#x} is taken: errno {ctypes.get_errno()}")
        self._next = ADDRESS

    def take(self, size: int) -> int:
        """The address of `size` zeroed bytes, a multiple of 64."""
        at = self._next
        # Kernels read whole vectors past the end of what they use.
        self._next += -(-size // 64) * 64 + 64
        assert self._next <= ADDRESS + BYTES
        return at

    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """As edge_sdk.devices.tinygrad.fast_model.zeros."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        raw = (ctypes.c_ubyte * size).from_address(self.take(size))
        return np.ctypeslib.as_array(raw).view(dtype).reshape(shape)

    def array(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A copy of `values` in this memory."""
        copy = self.zeros(values.shape, values.dtype)
        copy[...] = values
        return copy

    def place(self, structure: Structure) -> Structure:
        """A copy of a ctypes structure in this memory."""
        at, size = self.take(ctypes.sizeof(structure)), ctypes.sizeof(structure)
        ctypes.memmove(at, ctypes.addressof(structure), size)
        return cast(Structure, type(structure).from_address(at))


class Runner:
    """One emulated program; `call` is what Kernels.call is for kernels that are loaded here."""

    def __init__(self, program: Path, memory: Memory) -> None:
        self.memory = memory
        emulated = emulator()
        assert emulated is not None
        command = [emulated, str(program), str(memory.file), hex(ADDRESS), hex(BYTES)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.syscall = self._read()
        """Where the program's libc has that function."""
        self._finished: set[int] = set()

    def call(self, reference: Any) -> None:
        """Run the Work behind a ctypes.byref; what MEASURE writes comes back."""
        work = reference._obj
        mine = self.memory.place(work)
        if work.model:
            mine.model = ctypes.pointer(self._place_table(work.model.contents))
        self.finish(self.start(mine))
        for name in ("scratch_bytes", "tier", "row"):
            setattr(work, name, getattr(mine, name))

    def _place_table(self, table: ModelTable) -> ModelTable:
        mine = self.memory.place(table)
        if table.layers:
            layers = (Layer * table.layers).from_buffer_copy(
                ctypes.string_at(table.layer, table.layers * ctypes.sizeof(Layer))
            )
            mine.layer = ctypes.cast(self.memory.place(layers), ctypes.POINTER(Layer))
        return mine

    def start(self, work: Work) -> int:
        """Begin a Work that lies in the shared memory; returns what `finish` wants."""
        address = ctypes.addressof(work)
        self._write(CALL, address)
        return address

    def finish(self, address: int) -> None:
        """Wait until that Work is done."""
        while address not in self._finished:
            self._finished.add(self._read())
        self._finished.remove(address)

    def wake(self, address: int) -> None:
        """Wake the threads of the program that sleep on a futex."""
        self._write(WAKE, address)

    def close(self) -> None:
        """End the program."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        assert self._process.wait(10) == 0
        self._process.stdout.close()

    def _write(self, kind: int, address: int) -> None:
        assert self._process.stdin
        self._process.stdin.write(struct.pack("<QQ", kind, address))

    def _read(self) -> int:
        assert self._process.stdout
        data = self._process.stdout.read(8)
        if not data or len(data) < 8:
            raise RuntimeError(f"the emulated program ended with {self._process.wait(10)}.")
        return int(struct.unpack("<Q", data)[0])


class EmulatedWorkers:
    """As workers.Workers, with the threads in the emulated program."""

    def __init__(self, runner: Runner, threads: int) -> None:
        self._runner, memory = runner, runner.memory
        self._pool = memory.place(Pool(threads=threads, call=runner.syscall, spins=workers.SPINS))
        self._pool.span = ctypes.addressof(memory.place((Span * threads)()))
        self._pool.futex, yields = workers._CALLS["aarch64"]
        setattr(self._pool, "yield", yields)
        self.pointer = ctypes.pointer(self._pool) if threads > 1 else None
        works = (Work(op=Op.WORK, pool=self.pointer, count=k) for k in range(1, threads))
        self._started = [runner.start(memory.place(work)) for work in works]

    def close(self) -> None:
        """Stop the threads and wait until they have ended."""
        self._pool.stop = 1
        self._pool.bell += 1
        self._runner.wake(ctypes.addressof(self._pool) + Pool.bell.offset)
        for address in self._started:
            self._runner.finish(address)


@contextmanager
def running(program: Path, memory: Memory) -> Iterator[Any]:
    """Kernels that the emulated program runs, with the tests' helpers using the shared memory."""
    from edge_sdk.devices.tinygrad.native import NAMES, Kernels

    runner = Runner(program, memory)
    work = Work(op=Op.MEASURE, model=ctypes.pointer(ModelTable(width=1, inner=1)))
    runner.call(ctypes.byref(work))
    with pytest.MonkeyPatch.context() as patch:
        _redirect(patch, runner)
        yield Kernels(NAMES[work.tier], runner.call, runner)
    runner.close()


def _redirect(patch: pytest.MonkeyPatch, runner: Runner) -> None:
    """Let the tests' helpers put all that kernels read or write into the shared memory."""
    memory = runner.memory

    def choose(kernels: Any, threads: int) -> Any:
        remote = kernels.program is runner
        return EmulatedWorkers(runner, threads) if remote else workers.Workers(kernels, threads)

    patch.setattr(fast_model, "zeros", memory.zeros)
    patch.setattr(self_test, "zeros", memory.zeros)
    patch.setattr(self_test, "Workers", choose)
    for name in ("pack2", "pack5"):
        pack = getattr(self_test, name)
        patch.setattr(self_test, name, lambda trits, pack=pack: memory.array(pack(trits)))
