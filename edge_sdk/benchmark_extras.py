"""Measures what only some devices can do or tell: greedy decoding on the device, batches, energy.

It knows how each is asked for and timed; it does not know tables, nor any particular device.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edge_sdk.errors import UnsupportedOperation
from edge_sdk.monitor import Monitor

if TYPE_CHECKING:
    from edge_sdk.device import Device, Session
    from edge_sdk.model_file import Model

SETTLE_SECONDS = 1.2
"""Before energy is summed: sensors of GPUs tell the mean of the last second."""
ENERGY_SECONDS = 2.0
ENERGY_PERIOD = 0.05
"""Seconds between two power readings."""
BATCH_SLOTS = 32


def greedy_rate(session: Session, tokens: int) -> float | None:
    """Tokens a second when each best id is fed on the device itself; None where it cannot."""
    greedy: Callable[[int, int], Sequence[int]] | None = getattr(session, "greedy", None)
    if greedy is None:
        return None
    began = time.perf_counter()
    greedy(0, tokens)
    return tokens / (time.perf_counter() - began)


def batch_rates(device: Device, model: Model, steps: int, repeats: int) -> list[float] | None:
    """Tokens a second of BATCH_SLOTS conversations together, `repeats` times; None: cannot."""
    load: Callable[..., Any] | None = getattr(device, "load_batch", None)
    if load is None:
        return None
    try:
        batch = load(model, BATCH_SLOTS)
    except UnsupportedOperation:
        return None
    slots = [batch.join() for _ in range(BATCH_SLOTS)]
    tokens = batch.step({slot: slot % model.config.vocab_size for slot in slots})
    rates = []
    for _ in range(repeats):
        began = time.perf_counter()
        for _ in range(steps):
            tokens = batch.step(tokens)
        rates.append(BATCH_SLOTS * steps / (time.perf_counter() - began))
    batch.close()
    return rates


def energy(device: Device, run: Callable[[], int]) -> dict[str, Any] | None:
    """Watts and joules a token while `run`, which returns how many tokens it took, goes round.

    None where the device reports no power.
    """
    monitor = Monitor(device.telemetry, period=ENERGY_PERIOD)
    if not monitor.power().available:
        return None
    until = time.perf_counter() + SETTLE_SECONDS
    while time.perf_counter() < until:
        run()
    monitor.start()
    monitor.begin()
    began, tokens = time.perf_counter(), 0
    while time.perf_counter() - began < ENERGY_SECONDS:
        tokens += run()
    meter, seconds = monitor.end(), time.perf_counter() - began
    monitor.stop()
    total, each = meter.total(), meter.per_token(tokens)
    if total.value is None:
        return None
    return {
        "watts": total.value / seconds,
        "joules_per_token": each.value,
        "provenance": each.provenance.value,
        "source": each.source,
    }


def device_memory(device: Device, session: Session) -> dict[str, Any]:
    """Bytes on the device: what the session says it takes, and what the driver counts in all."""
    reading = device.telemetry().readings.get("device_memory")
    return {
        "session_bytes": getattr(session, "device_bytes", None),
        "driver": reading.to_json() if reading is not None else None,
    }
