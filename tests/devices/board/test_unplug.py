"""The cable pulled out at every byte of a session, and plugged in again."""

from __future__ import annotations

import os
import pty
import select
import sys
import threading
import time
import tty
from contextlib import suppress

import numpy as np
import pytest

from edge_sdk.device import Candidates
from edge_sdk.devices.board.device import BoardDevice
from edge_sdk.devices.board.options import Options
from edge_sdk.devices.board.transport import PortTransport
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.errors import DeviceDisconnected, DeviceNotFound
from edge_sdk.firmware_images.contract.wire import DEFAULT_BAUD
from edge_sdk.model_file import Model
from tests.devices.board.boards import KIND, PROMPT, open_files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
STAY = 1 << 60
REPLUG_EVERY = 40


class Cable:
    """A pty with a board at its end, cut after `limit` bytes in both directions together."""

    def __init__(self, engine: IntegerEngine, limit: int) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        # Kept open, so that the end of the master is what the host sees.
        self._slave = slave
        self._engine, self._left = engine, limit
        self.moved = 0
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._left > 0 and not self._stop:
            if not select.select([self._master], [], [], 0.005)[0]:
                continue
            data = os.read(self._master, min(self._left, 4096))
            self._count(len(data))
            for sent in self._engine.receive(data):
                piece = sent.data[: self._left]
                os.write(self._master, piece)
                self._count(len(piece))
        os.close(self._master)

    def _count(self, count: int) -> None:
        self.moved += count
        self._left -= count

    def close(self) -> None:
        self._stop = True
        self._thread.join()
        with suppress(OSError):
            os.close(self._slave)


def session(path: str, model: Model) -> Candidates:
    """Open, load, a prompt, a snapshot, one more token."""
    # At the default rate: a change of the rate is not the cable's business.
    transport = PortTransport(path, DEFAULT_BAUD)
    with BoardDevice.open(transport, path, Options(baud=DEFAULT_BAUD)) as device:
        running = device.load(model)
        running.feed(PROMPT)
        saved = running.snapshot()
        running.feed([1])
        running.restore(saved)
        return running.feed([3])


def whole(engine: IntegerEngine, model: Model) -> tuple[Candidates, int]:
    cable = Cable(engine, STAY)
    found = session(cable.path, model)
    cable.close()
    return found, cable.moved


def test_unplugged_at_every_byte(model: Model) -> None:
    engine = IntegerEngine(KIND)
    whole(engine, model)  # leaves the model on the board: uploads have their own test
    wanted, total = whole(engine, model)
    assert total > 500
    before, slowest = open_files(), 0.0
    for limit in range(1, total):
        cable = Cable(engine, limit)
        began = time.monotonic()
        with pytest.raises(DeviceDisconnected, match="was lost") as caught:
            session(cable.path, model)
        slowest = max(slowest, time.monotonic() - began)
        assert caught.value.hint
        cable.close()
        if limit % REPLUG_EVERY == 0:
            again, _ = whole(engine, model)
            assert np.array_equal(again.logits, wanted.logits)
    print(f"unplugged at each of {total - 1} bytes: told after at most {slowest:.2f} s")

    assert open_files() == before


def test_unplugged_before_it_is_opened(model: Model) -> None:
    cable = Cable(IntegerEngine(KIND), 0)
    cable.close()
    with pytest.raises(DeviceNotFound, match="could not be opened"):
        session(cable.path, model)
