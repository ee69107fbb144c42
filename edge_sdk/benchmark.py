"""Measures how fast a model runs on a device: decode, prefill, first token, memory, bandwidth.

It knows what is timed and how repeats are interleaved; it does not know how figures are shown.

All figures of one run are taken in turns, so that a disturbance hits them alike. Absolute figures
of two runs should not be compared; ratios within one run may.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from edge_sdk import benchmark_extras as extras
from edge_sdk.errors import EdgeError, UsageError

if TYPE_CHECKING:
    from edge_sdk.device import Device, DeviceInfo, Session
    from edge_sdk.model_file import Model

THREADS_VARIABLE = "EDGE_THREADS"


@dataclass(frozen=True)
class Spread:
    """The median of several figures, with the least and the largest."""

    median: float
    least: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one figure."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Lane:
    """The figures at one number of threads."""

    threads: int | None
    """None where the device decides."""
    session: Session
    decode: list[float] = field(default_factory=list)
    """Tokens per second, fed one by one."""
    prefill: list[float] = field(default_factory=list)
    """Tokens per second of a prompt fed at once."""
    read: list[float] = field(default_factory=list)
    """Bytes per second of reading the packed weights and nothing else."""
    greedy: list[float] = field(default_factory=list)
    """Tokens per second, each best id fed on the device itself; empty where it cannot."""

    def to_json(self, bytes_per_token: int) -> dict[str, Any]:
        """The figures as plain values; rates in tokens or bytes per second."""
        decode = Spread.of(self.decode)
        read = Spread.of(self.read) if self.read else None
        floor = read.median / bytes_per_token if read else None
        return {
            "threads": self.threads,
            "decode_tokens_per_second": asdict(decode),
            "prefill_tokens_per_second": asdict(Spread.of(self.prefill)),
            "greedy_tokens_per_second": asdict(Spread.of(self.greedy)) if self.greedy else None,
            "weight_bytes_per_second": decode.median * bytes_per_token,
            "read_bytes_per_second": asdict(read) if read else None,
            "floor_tokens_per_second": floor,
            "share_of_floor": decode.median / floor if floor else None,
        }


def measure(
    device: Device,
    model: Model,
    *,
    threads: Sequence[int | None],
    tokens: int,
    prompt: int,
    repeats: int,
) -> dict[str, Any]:
    """Run the benchmark; returns plain values, as `bench --json` prints them.

    threads: numbers of threads to compare, (None,) where the device decides. tokens: fed one by one
    for a decode figure. prompt: tokens of the prompt for a prefill figure. repeats: figures taken
    of each. Raises UsageError for a number below 1.
    """
    if min(tokens, prompt, repeats) < 1:
        raise UsageError(
            "tokens, prompt and repeats must each be 1 or more.",
            hint="leave them out to use the defaults.",
        )
    load_before = _load_average()
    switches = _usage("ru_nivcsw")
    began = time.perf_counter()
    lanes = [Lane(count, _load(device, model, count)) for count in threads]
    _decode(lanes[0].session, 1)
    first = time.perf_counter() - began
    for lane in lanes:  # compile and touch all pages before the clock runs
        _decode(lane.session, 2)
        _prefill(lane.session, prompt)
    for _ in range(repeats):
        for lane in lanes:
            probe = getattr(lane.session, "read_weights", None)
            if probe is not None:
                size, seconds = probe()
                lane.read.append(size / seconds)
            lane.decode.append(tokens / _decode(lane.session, tokens))
            lane.prefill.append(prompt / _prefill(lane.session, prompt))
            greedy = extras.greedy_rate(lane.session, tokens)
            if greedy is not None:
                lane.greedy.append(greedy)
    last = lanes[-1].session
    batch = extras.batch_rates(device, model, tokens, repeats)
    energy = extras.energy(device, lambda: _decoded(last, tokens))
    memory = extras.device_memory(device, last)
    for lane in lanes:
        lane.session.close()
    return {
        "device": _describe(device.info),
        "model": model.name,
        "file_bytes": model.file_size,
        "weight_bytes": model.weight_bytes,
        "peak_memory_bytes": _peak_memory(),
        "load_to_first_token_seconds": first,
        "tokens": tokens,
        "prompt": prompt,
        "repeats": repeats,
        "results": [lane.to_json(_bytes_per_token(lane.session)) for lane in lanes],
        "batch": {
            "slots": extras.BATCH_SLOTS,
            "tokens_per_second": asdict(Spread.of(batch)),
        }
        if batch
        else None,
        "energy": energy,
        "device_memory": memory,
        "load_average": [load_before, _load_average()],
        "involuntary_switches": _usage("ru_nivcsw") - switches,
    }


_START = (
    "import sys, edge_sdk\n"
    "with edge_sdk.open_device(sys.argv[1]) as device:\n"
    "    device.load(edge_sdk.load_model(sys.argv[2])).feed([0])\n"
    "    print('first', flush=True)\n"
)


def start_seconds(uri: str, path: str) -> float:
    """Seconds from starting a new Python to the first token: imports, open, load, one token.

    Raises EdgeError with the process's last line where it gave no token.
    """
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _START, uri, path], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise EdgeError(
            f"a new process gave no token; it said: {said[:300]}.",
            hint="`edge-sdk doctor` checks this machine.",
        )
    return time.perf_counter() - began


def _bytes_per_token(session: Session) -> int:
    """The packed weights that a token reads: as the file has them, or at 2 bits a weight."""
    return int(getattr(session, "token_bytes", session.model.planes_bytes))


def _decode(session: Session, tokens: int) -> float:
    vocabulary = session.model.config.vocab_size
    began = time.perf_counter()
    for index in range(tokens):
        session.feed([index % vocabulary])
    return time.perf_counter() - began


def _decoded(session: Session, tokens: int) -> int:
    _decode(session, tokens)
    return tokens


def _prefill(session: Session, tokens: int) -> float:
    vocabulary = session.model.config.vocab_size
    ids = [index % vocabulary for index in range(tokens)]
    began = time.perf_counter()
    session.feed(ids)
    return time.perf_counter() - began


def _load(device: Device, model: Model, threads: int | None) -> Session:
    if threads is None:
        return device.load(model)
    with _variable(THREADS_VARIABLE, str(threads)):
        return device.load(model)


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _describe(info: DeviceInfo) -> dict[str, Any]:
    return {"uri": info.uri, "name": info.name, **info.details}


def _load_average() -> float | None:
    """Processes that wanted to run in the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _usage(name: str) -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return int(getattr(resource.getrusage(resource.RUSAGE_SELF), name))


def _peak_memory() -> int | None:
    """The most memory this process has had, in bytes; Linux counts it in KiB."""
    peak = _usage("ru_maxrss")
    return (peak if sys.platform == "darwin" else peak * 1024) or None
