"""How many processor cores this process may really use.

It knows affinity masks, hyper-threads and cgroup quotas as Linux shows them; it does not know what
the cores are used for.
"""

from __future__ import annotations

import os
from pathlib import Path

from edge_sdk.errors import UsageError

THREADS_VARIABLE = "EDGE_THREADS"
"""How many threads compute, instead of one a physical core."""

_CPUS = Path("/sys/devices/system/cpu")
_CGROUPS = Path("/sys/fs/cgroup")


def thread_count() -> int:
    """How many threads should compute: EDGE_THREADS, else the physical cores that are ours.

    Raises UsageError where EDGE_THREADS is no number from 1 to 256.
    """
    wanted = os.environ.get(THREADS_VARIABLE)
    if not wanted:
        return physical_cores()
    if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= 256):
        raise UsageError(
            f"{THREADS_VARIABLE} is {wanted!r}; expected a number of threads from 1 to 256.",
            hint=f"unset {THREADS_VARIABLE} to use every physical core.",
        )
    return int(wanted)


def physical_cores(cpus: Path = _CPUS, cgroups: Path = _CGROUPS) -> int:
    """Cores in this process's affinity mask, hyper-threads counted once, within its CPU quota.

    cpus, cgroups: where the system shows them; a test gives other folders.
    """
    if hasattr(os, "sched_getaffinity"):
        allowed = os.sched_getaffinity(0)
    else:
        allowed = set(range(os.cpu_count() or 1))
    cores = {_siblings(cpus, cpu) for cpu in allowed}
    return max(1, min(len(cores), _quota(cgroups)))


def _siblings(cpus: Path, cpu: int) -> str:
    """A name shared by the hyper-threads of one core."""
    try:
        return (cpus / f"cpu{cpu}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return f"cpu {cpu}"


def _quota(cgroups: Path) -> int:
    """Whole cores that the control groups around this process grant (cgroup v2)."""
    try:
        line = Path("/proc/self/cgroup").read_text().strip().splitlines()[-1]
    except (OSError, IndexError):
        return 1 << 20
    folder = cgroups / line.rpartition("::/")[2]
    cores = float(1 << 20)
    for place in (folder, *folder.parents):
        try:
            limit, period = (place / "cpu.max").read_text().split()
            if limit != "max":
                cores = min(cores, int(limit) / int(period))
        except (OSError, ValueError):
            pass
        if place == cgroups:
            break
    return max(1, int(cores))
