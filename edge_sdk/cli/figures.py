"""What a turn cost, as the line for a person and as the object for a program.

It knows which figures there are and their units; edge_sdk.Chat takes them.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from edge_sdk.cli.output import format_latency
from edge_sdk.safe_text import printable

if TYPE_CHECKING:
    from edge_sdk.chat import Chat, ChatStats
    from edge_sdk.device import Device
    from edge_sdk.telemetry import Reading

SEPARATOR = " · "
_START_FIELD = 19
"""Index of `starttime` in /proc/<pid>/stat behind the name, in ticks since the machine booted."""


def stats_line(chat: Chat, since_start: float | None = None) -> str:
    """ "cpu · 41 tok/s · first token 0.9 s · 0.31 J/token (measured, RAPL package-0)".

    `since_start`: seconds from the start of the process to the first token, where it is the first.
    """
    stats = chat.stats
    first = f"first token {format_latency(stats.first_token_seconds)}"
    if since_start is not None:
        first += f" ({format_latency(since_start)} after the start)"
    parts = [
        chat.session.device.info.uri,
        _rate(stats.tokens_per_second),
        *_on_the_board(chat.session.device),
        first,
        _energy(stats.joules_per_token),
    ]
    return printable(SEPARATOR.join(parts), newlines=False)


def _rate(rate: float) -> str:
    """Slow devices are told apart, too."""
    return f"{rate:.0f} tok/s" if rate >= 10 else f"{rate:.2f} tok/s"


def turn_record(chat: Chat, text: str) -> dict[str, object]:
    """A turn as `--json` prints it; the times are seconds."""
    stats = chat.stats
    return {
        "text": text,
        "stop_reason": stats.stop_reason,
        "model": chat.session.model.name,
        "device": chat.session.device.info.uri,
        "prompt_tokens": stats.prompt_tokens,
        "answer_tokens": stats.answer_tokens,
        "tokens_per_second": stats.tokens_per_second,
        "first_token_seconds": stats.first_token_seconds,
        "readings": _readings(chat, stats),
    }


def seconds_since_start() -> float:
    """Seconds since this process began, Python's own start and all imports included."""
    if sys.platform == "linux":
        # psutil adds the time of booting, which Linux tells in whole seconds.
        with suppress(OSError, ValueError, IndexError):
            fields = Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()
            began = int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
            return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    return time.time() - psutil.Process().create_time()


def _readings(chat: Chat, stats: ChatStats) -> dict[str, object]:
    energy = {"energy": stats.energy, "joules_per_token": stats.joules_per_token}
    now = chat.session.device.telemetry().readings
    return {name: reading.to_json() for name, reading in {**energy, **now}.items()}


def _on_the_board(device: Device) -> list[str]:
    """How fast the real board would be, where a simulated one answers."""
    if device.info.kind != "simulator":
        return []
    speed = device.telemetry().readings.get("board_speed")
    if speed is None or speed.value is None:
        return []
    return [f"the board itself {speed.value:.1f} tok/s by its cycle count"]


def _energy(reading: Reading) -> str:
    if reading.value is None:
        # The first of several reasons; `edge-sdk doctor` and --json tell them all.
        return f"power unavailable: {(reading.reason or 'no reason is known').split(';')[0]}"
    figure = f"{reading.provenance.sign}{reading.value:.3g} {reading.unit}"
    return f"{figure} ({reading.provenance.value}, {reading.source})"
