"""What a board tells about itself: watts, utilisation, cycles a token, faults of the line.

It knows counters and the monitor chip; it does not know frames. A board that is busy is not waited
for: the last readings are given again, with their time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge_sdk.devices.board import ina
from edge_sdk.devices.board.protocol import read_counters
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.devices.power import process
from edge_sdk.firmware_images.contract.wire import REQUESTS, Code, Counter, Type
from edge_sdk.telemetry import Provenance, Reading, Telemetry

if TYPE_CHECKING:
    from edge_sdk.devices.board.client import Client
    from edge_sdk.devices.board.protocol import Hello

WAIT_SECONDS = 0.3
"""How long a reading waits for an exchange that is under way: longer than a chunk of tokens."""
SPAN_SECONDS = 0.25
"""A share is of at least so much time: two looks between the same two tokens would see none."""
_WRAP = 1 << 32


class BoardSensors:
    """Reads one board. May be used from another thread than the session."""

    def __init__(self, client: Client, hello: Hello, shunt_ohms: float | None) -> None:
        self._client = client
        self._hello = hello
        self._shunt = shunt_ohms
        self._chip: ina.Chip | str | None = None
        self._looked = False
        self._before: tuple[float, dict[Counter, int]] | None = None
        self._shares: dict[str, Reading] = {}
        self._last: dict[str, Reading] = {}

    def read(self) -> Telemetry:
        """All readings; raises LinkError only if the board is gone."""
        if self._client.lock.acquire(timeout=WAIT_SECONDS):
            try:
                self._last = self._power() | self._counters()
            finally:
                self._client.lock.release()
        elif not self._last:
            reason, remedy = "the board is busy with an upload", "wait until it is done."
            self._last = {"power": Reading.unavailable("W", ina.SOURCE, reason, remedy)}
        return Telemetry({**self._last, **process.memory()})

    def _power(self) -> dict[str, Reading]:
        if not self._looked:
            self._chip, self._looked = ina.find(self._register), True
        return {"power": ina.watts(self._register, self._chip, self._shunt)}

    def _register(self, address: int, register: int) -> int | None:
        payload = REQUESTS[Type.I2C].pack(address, 1, 2) + bytes([register])
        try:
            data = self._client.request(Type.I2C, payload)
        except Refused as refusal:
            if refusal.code in (Code.NO_DEVICE, Code.UNKNOWN_TYPE, Code.BAD_ARGUMENT):
                return None
            raise
        return int.from_bytes(data, "big") if len(data) == 2 else None

    def _counters(self) -> dict[str, Reading]:
        now = time.monotonic()
        counters = read_counters(self._client.request(Type.COUNTERS))
        faults = counters[Counter.FRAME_ERRORS] + self._client.errors
        readings = {
            "link_errors": _derived(faults, "frames", "counters of board and host"),
            "saturations": _derived(counters[Counter.SATURATIONS], "values", "board's counter"),
        }
        if self._before is not None and now - self._before[0] < SPAN_SECONDS:
            return readings | self._shares
        before, self._before = self._before, (now, counters)
        self._shares = self._since(before, now, counters)
        return readings | self._shares

    def _since(
        self,
        before: tuple[float, dict[Counter, int]] | None,
        now: float,
        counters: dict[Counter, int],
    ) -> dict[str, Reading]:
        """Shares of the time and the words since the last look."""
        wraps_after = _WRAP / self._hello.clock_hz
        if before is None or now - before[0] >= 0.9 * wraps_after:
            reason = "the counters were read for the first time, or too long ago"
            return {"utilisation": Reading.unavailable("%", "counters", reason, "read them again.")}
        readings = {}
        passed = {key: (counters[key] - before[1][key]) % _WRAP for key in counters}
        cycles, busy = passed[Counter.CYCLES], passed[Counter.BUSY]
        if cycles:
            share = min(100 * busy / cycles, 100.0)
            readings["utilisation"] = _derived(share, "%", "busy cycles of all cycles")
        words, stalls = passed[Counter.STREAM_WORDS], passed[Counter.STREAM_STALLS]
        if not counters[Counter.REFRESHES]:
            reason = "this board does not count its memory's refreshes and stalls"
            remedy = "use a real board, or ?engine=rtl on a simulated one."
            missing = Reading.unavailable("%", "counters", reason, remedy)
            readings["stream_efficiency"] = missing
        elif words:
            share = 100 * words / (words + stalls)
            readings["stream_efficiency"] = _derived(share, "%", "words of words and stalls")
        return readings


def _derived(value: float, unit: str, source: str) -> Reading:
    return Reading(float(value), unit, Provenance.DERIVED, source, scope="board")
