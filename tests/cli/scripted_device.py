"""A device without arithmetic: it "computes" an answer that the environment scripts.

Registered by entry point under the scheme `script`, as any other package's device would be.

    SCRIPT_ANSWER   the answer to every prompt; {turn} is the number of the prompt since the reset
    SCRIPT_DELAY    seconds a token
    SCRIPT_POWER    watts; without it, power is unavailable
    SCRIPT_BROKEN   listed as unusable if set
    SCRIPT_STARTED  a file that is made when an answer begins
    SCRIPT_SLOW_FROM  the prompt from which on SCRIPT_DELAY counts (default: the first)
    SCRIPT_UNPLUGGED  while this file exists, the device is gone
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from edge_sdk.device import Cancelled, Candidates, DeviceInfo, Progress, State
from edge_sdk.errors import DeviceDisconnected, OutOfMemory, UnsupportedOperation
from edge_sdk.model_file import Model
from edge_sdk.telemetry import Provenance, Reading, Telemetry
from edge_sdk.uri import DeviceURI

SURE = 100.0
"""A logit so far above the others that every sampler picks it."""


def check_plug() -> None:
    if Path(os.environ.get("SCRIPT_UNPLUGGED", "/nowhere/at/all")).exists():
        raise DeviceDisconnected("the script went away.", hint="bring it back.")


class ScriptedSession:
    """The state is the number of prompts so far."""

    def __init__(self, model: Model, device: ScriptedDevice) -> None:
        self.model, self.device = model, device
        self.reset()

    def reset(self) -> None:
        self._turn = self.position = 0
        self._pending: list[int] = []

    def feed(
        self,
        ids: Sequence[int],
        *,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> Candidates:
        check_plug()
        if self._turn >= int(os.environ.get("SCRIPT_SLOW_FROM", "0")):
            time.sleep(float(os.environ.get("SCRIPT_DELAY", "0")))
        if cancel is not None and cancel.is_set():
            raise Cancelled
        if len(ids) == 1:
            # The token picked last, or the one that closes a turn.
            self._pending = self._pending[1:] if list(ids) == self._pending[:1] else []
        else:
            self._turn += 1
            if "SCRIPT_STARTED" in os.environ:
                Path(os.environ["SCRIPT_STARTED"]).touch()
            answer = os.environ.get("SCRIPT_ANSWER", "answer {turn}").format(turn=self._turn)
            self._pending = self.model.tokenizer.encode(answer, start=False)
        self.position += len(ids)
        size = self.model.config.vocab_size
        logits = np.zeros(size, np.float32)
        logits[self._pending[0] if self._pending else self.model.stop_ids[0]] = SURE
        return Candidates(np.arange(size, dtype=np.int32), logits)

    def logits(self, ids: Sequence[int]) -> Any:
        raise UnsupportedOperation("a script has no logits.")

    def snapshot(self) -> State:
        hidden = np.full((1, 1), self._turn, np.float32)
        return State(self.model.sha256, self.position, hidden)

    def restore(self, state: State) -> None:
        self._turn, self.position = int(state.hidden[0, 0]), state.position
        self._pending = []

    def close(self) -> None:
        pass


class ScriptedDevice:
    def __init__(self, info: DeviceInfo, fails: str) -> None:
        self.info, self._fails = info, fails

    def load(self, model: Model, *, progress: Progress | None = None) -> ScriptedSession:
        if self._fails == "memory":
            raise OutOfMemory("3 MB are needed, 2 MB are there.", hint="use a smaller model.")
        if self._fails == "bug":
            raise ZeroDivisionError("unforeseen")
        return ScriptedSession(model, self)

    def telemetry(self) -> Telemetry:
        watts = os.environ.get("SCRIPT_POWER")
        if watts is None:
            power = Reading.unavailable("W", "script", "the script says so", "set SCRIPT_POWER.")
        else:
            power = Reading(float(watts), "W", Provenance.MEASURED, "script")
        return Telemetry({"power": power})

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


class ScriptedProvider:
    def discover(self) -> list[DeviceInfo]:
        if os.environ.get("SCRIPT_BROKEN"):
            return [
                DeviceInfo("script", "a script", "cpu", False, "it is torn", "glue it together.")
            ]
        details = {"compiler": "none", "kernels": "a script"}
        return [DeviceInfo("script", "a script", "cpu", True, memory=8_000_000, details=details)]

    def open(self, uri: DeviceURI) -> ScriptedDevice:
        check_plug()
        return ScriptedDevice(self.discover()[0], uri.target)


PROVIDER = ScriptedProvider()
