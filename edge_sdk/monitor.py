"""Polls a device's telemetry from one thread, twice a second, and sums energy over intervals.

It knows when to read and what to keep; it does not know any sensor, device or screen.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from edge_sdk.telemetry import EnergyMeter, Provenance, Reading, Telemetry

FRESH_SECONDS = 0.01
"""A power reading younger than this is not taken again: no sensor has a new figure so soon."""

PATIENCE_SECONDS = 0.1
"""How long an answer waits for a sensor that another thread is reading."""

IDLE_READINGS = 20
"""How many power readings without work make the idle figure: ten seconds at 2 Hz."""


class Monitor:
    """Keeps the latest telemetry, a short history of power, and the energy of an interval.

    All methods may be called from any thread. Only `begin`, `end`, `power` and `sample` may wait
    for a sensor; what a screen calls returns at once.
    """

    def __init__(
        self, read: Callable[[], Telemetry], period: float = 0.5, history: int = 60
    ) -> None:
        """`read` is called every `period` seconds, by one thread at a time."""
        self._read = read
        self._period = period
        self._reading = threading.Lock()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._latest = Telemetry({})
        self._watts: deque[float] = deque(maxlen=history)
        self._idle: deque[Reading] = deque(maxlen=IDLE_READINGS)
        self._meter: EnergyMeter | None = None

    def start(self) -> None:
        """Begin polling; the first reading is taken by the thread, so this returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """End polling; waits `timeout` seconds at most for a sensor that hangs."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    @property
    def latest(self) -> Telemetry:
        """What was read last; empty before the first reading."""
        return self._latest

    def sample(self, timeout: float = -1) -> Telemetry:
        """Read now and keep it; an error of the device becomes unavailable readings.

        Where another thread is reading for longer than `timeout` seconds (-1 waits without end),
        the latest telemetry is returned as it is.
        """
        if not self._reading.acquire(timeout=timeout):
            return self._latest
        try:
            return self._sample()
        finally:
            self._reading.release()

    def power(self) -> Reading:
        """Watts, at most 10 ms old unless a sensor is slower; `power=` of edge_sdk.Chat."""
        latest = self._latest.readings.get("power")
        if latest is None or time.monotonic() - latest.timestamp > FRESH_SECONDS:
            latest = self.sample(PATIENCE_SECONDS).readings.get("power")
        return latest or _no_power()

    def _sample(self) -> Telemetry:
        try:
            telemetry = self._read()
            power = telemetry.readings.get("power") or _no_power()
        except Exception as error:
            telemetry = _failed(error, self._latest)
            power = telemetry["power"]
        telemetry = Telemetry(telemetry.readings | {"power": power})
        with self._lock:
            self._keep(power)
            self._latest = telemetry
        return telemetry

    def history(self) -> list[float]:
        """The last watts, oldest first; moments without a figure are left out."""
        with self._lock:
            return list(self._watts)

    def idle(self) -> Reading:
        """Mean watts while nothing ran, or unavailable."""
        with self._lock:
            idle = [(r.value, r) for r in self._idle if r.value is not None]
        if not idle:
            latest = self._latest.readings.get("power")
            if latest is None or latest.available:
                return Reading.unavailable(
                    "W", "idle", "no power was read at rest", "let the device rest for a second."
                )
            return latest
        weakest = max((r for _, r in idle), key=lambda r: list(Provenance).index(r.provenance))
        mean = sum(value for value, _ in idle) / len(idle)
        return Reading(mean, "W", weakest.provenance, weakest.source, scope=weakest.scope)

    def begin(self) -> None:
        """Start an interval of work: until `end`, power is summed and does not count as idle."""
        with self._lock:
            self._meter = EnergyMeter()
        self.sample(PATIENCE_SECONDS)

    def end(self) -> EnergyMeter:
        """Finish the interval and return its meter; an empty one if none was begun."""
        self.sample(PATIENCE_SECONDS)
        with self._lock:
            meter, self._meter = self._meter, None
        return meter or EnergyMeter()

    def _keep(self, power: Reading) -> None:
        if power.value is not None:
            self._watts.append(power.value)
        if self._meter is not None:
            self._meter.add(power)
        elif power.value is not None:
            self._idle.append(power)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.sample()
            self._stopping.wait(self._period)


def _no_power() -> Reading:
    return Reading.unavailable(
        "W", "device", "this device reports no power", "use an external power meter."
    )


def _failed(error: Exception, before: Telemetry) -> Telemetry:
    """Every reading that was there before, and power, as unavailable."""
    reason = f"the telemetry could not be read: {error or type(error).__name__}"
    remedy = "check that the device is still connected."
    units = {"power": "W"} | {name: reading.unit for name, reading in before.readings.items()}
    return Telemetry(
        {
            name: Reading.unavailable(unit, "telemetry", reason, remedy)
            for name, unit in units.items()
        }
    )
