from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from edge_sdk.chat_stats import ChatStats
from edge_sdk.cli import figures

ROOT = Path(__file__).parent.parent.parent


def test_the_time_since_the_start_counts_from_the_start_of_python() -> None:
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); time.sleep(0.2)\n"
        "from edge_sdk.cli.figures import seconds_since_start; print(seconds_since_start())"
    )
    before = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT)], capture_output=True, text=True, check=True
    )
    around = time.monotonic() - before

    # The clock of process starts ticks a hundred times a second.
    assert 0.19 <= float(done.stdout) <= around + 0.02


def test_other_systems_tell_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    expected = time.time() - psutil.Process().create_time()

    assert figures.seconds_since_start() == pytest.approx(expected, abs=5)


@pytest.mark.parametrize(
    ("tokens", "shown"), [(1416, "1416 tok/s"), (9.99, "9.99 tok/s"), (0.41, "0.41 tok/s")]
)
def test_a_slow_device_is_not_told_as_zero(tokens: float, shown: str) -> None:
    stats = ChatStats(1024, answer_tokens=100, decode_seconds=100 / tokens)
    device = SimpleNamespace(info=SimpleNamespace(uri="x", kind="board"))
    chat = SimpleNamespace(stats=stats, session=SimpleNamespace(device=device))
    assert f"x · {shown} · first token" in figures.stats_line(cast(Any, chat))
