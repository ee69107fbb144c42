"""What `kill` does to a command: the program unwinds, so nothing half written stays."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from edge_sdk.cli.interrupt import end_in_order
from edge_sdk.paths import write_aside


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_killed_command_leaves_no_half_written_file(
    number: signal.Signals, tmp_path: Path
) -> None:
    before = signal.getsignal(number)
    with (
        pytest.raises(SystemExit) as ended,
        end_in_order(),
        write_aside(tmp_path / "model.edge") as aside,
    ):
        aside.write_bytes(b"half of it")
        os.kill(os.getpid(), number)
    assert ended.value.code == 128 + number
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(number) is before


def test_killed_within_a_task_the_event_loop_ends_and_the_task_with_it() -> None:
    reports: list[object] = []
    cleaned: list[bool] = []

    async def task() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: reports.append(told))
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)
        finally:
            cleaned.append(True)

    async def program() -> None:
        await asyncio.create_task(task())

    with pytest.raises(SystemExit) as ended, end_in_order():
        asyncio.run(program())
    assert ended.value.code == 128 + signal.SIGTERM
    assert (cleaned, reports) == ([True], [])


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with end_in_order():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
