"""Boards that are silent, babble or reset: told of in bounded time, and nothing is left open."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress

import pytest

from edge_sdk.devices.board.client import Client
from edge_sdk.devices.board.device import BoardDevice
from edge_sdk.devices.board.options import Options
from edge_sdk.devices.board.rate import greet
from edge_sdk.devices.board.transport import PortTransport
from edge_sdk.devices.virtual.endpoint import PtyEndpoint
from edge_sdk.devices.virtual.engine import Sent
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.errors import DeviceTimeout, EdgeError
from edge_sdk.firmware_images.contract.wire import DEFAULT_BAUD, Type
from edge_sdk.model_file import Model
from tests.devices.board.boards import KIND, PROMPT, bare_pty, on_pty, open_files, served

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")


def test_a_silent_board_is_given_up_in_bounded_time() -> None:
    with bare_pty() as (_, path):
        client = Client(PortTransport(path, DEFAULT_BAUD))
        began = time.monotonic()
        with pytest.raises(DeviceTimeout, match="no board answered HELLO"):
            greet(client)
        assert time.monotonic() - began < 10
        client.close()
        PortTransport(path, DEFAULT_BAUD).close()


def test_a_babbling_board_is_given_up_in_bounded_time() -> None:
    with bare_pty() as (master, path):
        os.set_blocking(master, False)
        stop = threading.Event()

        def babble() -> None:
            while not stop.is_set():
                with suppress(BlockingIOError):
                    os.write(master, os.urandom(512))

        client = Client(PortTransport(path, DEFAULT_BAUD))
        thread = threading.Thread(target=babble)
        thread.start()
        began = time.monotonic()
        with pytest.raises(DeviceTimeout):
            greet(client)
        assert time.monotonic() - began < 20
        stop.set()
        thread.join()
        client.close()
        assert client.errors > 0


def test_a_boot_log_in_front_of_the_answer_does_no_harm() -> None:
    class Talkative(IntegerEngine):
        def receive(self, data: bytes) -> list[Sent]:
            log = b"\r\nets Jun  8 2016 00:22:57\r\nrst:0x1 (POWERON_RESET)\r\n"
            found = super().receive(data)
            return [Sent(log + b"\0" + sent.data, sent.cycles) for sent in found]

    with served(PtyEndpoint(), Talkative(KIND)) as path:
        client = Client(PortTransport(path, DEFAULT_BAUD))
        assert greet(client).board == KIND.name
        assert client.errors > 0
        client.close()


def test_a_board_that_resets_all_the_time_ends_in_a_typed_error(model: Model) -> None:
    class Resetting(IntegerEngine):
        count = 0

        def receive(self, data: bytes) -> list[Sent]:
            self.count += 1
            if self.count % 5 == 0:
                self.__dict__.update(IntegerEngine(KIND).__dict__, count=self.count)
                return []
            return super().receive(data)

    with served(PtyEndpoint(), Resetting(KIND)) as path:
        for _ in range(3):
            with pytest.raises(EdgeError) as caught:
                device = BoardDevice.open(PortTransport(path, DEFAULT_BAUD), "x", Options())
                with device:
                    session = device.load(model)
                    for _ in range(50):
                        session.feed([1])
            assert caught.value.hint


def test_no_descriptor_and_no_thread_is_left(model: Model) -> None:
    before, threads = open_files(), threading.active_count()
    for _ in range(3):
        with (
            on_pty() as path,
            BoardDevice.open(PortTransport(path, DEFAULT_BAUD), "x", Options()) as device,
        ):
            device.load(model).feed(PROMPT)
            device.client.request(Type.COUNTERS)

    assert (open_files() - before, threading.active_count()) == (set(), threads)
