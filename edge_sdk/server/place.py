"""Where the model runs: a device that is opened, and opened again after it went away.

It knows devices and sessions; it does not know what is asked.
"""

from __future__ import annotations

from contextlib import suppress

import edge_sdk
from edge_sdk.device import Device, Session
from edge_sdk.errors import EdgeError
from edge_sdk.model_file import Model
from edge_sdk.monitor import Monitor
from edge_sdk.telemetry import Reading


class Place:
    """Use from one thread at a time, but for `power`."""

    def __init__(self, model: Model, uri: str) -> None:
        self._model = model
        self._uri = uri
        self._device: Device | None = None
        self._session: Session | None = None
        self._monitor: Monitor | None = None

    def session(self) -> Session:
        """The model on the device; opens it if that is needed. Raises EdgeError."""
        if self._session is None:
            device = self._device = edge_sdk.open_device(self._uri)
            self._session = device.load(self._model)
            self._monitor = Monitor(device.telemetry)
            self._monitor.start()
        return self._session

    def power(self) -> Reading:
        """Watts now."""
        if self._monitor is None:
            return Reading.unavailable("W", "none", "no device is open", "ask something first.")
        return self._monitor.power()

    def let_go(self) -> None:
        """Close what is open, even if the device is gone."""
        session, device, monitor = self._session, self._device, self._monitor
        self._session = self._device = self._monitor = None
        if monitor is not None:
            monitor.stop()
        for opened in (session, device):
            if opened is not None:
                with suppress(EdgeError):
                    opened.close()
