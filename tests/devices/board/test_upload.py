from __future__ import annotations

import hashlib
import random
import zlib
from itertools import pairwise

import pytest

from edge_sdk.devices.board.client import Client
from edge_sdk.devices.board.integer_model import IntegerModel
from edge_sdk.devices.board.upload import upload
from edge_sdk.devices.virtual.direct import DirectTransport, FaultyTransport
from edge_sdk.devices.virtual.engine import Sent
from edge_sdk.devices.virtual.faults import Rates
from edge_sdk.devices.virtual.integer import IntegerEngine
from edge_sdk.errors import DeviceDisconnected, VerifyFailed
from edge_sdk.firmware_images.contract.isa import Boot
from edge_sdk.firmware_images.contract.wire import BLOCK_BYTES, Type
from tests.devices.board.boards import KIND

BLOCKS = 6
IMAGE = Boot(40, 32, 8, 16).encode() + random.Random(1).randbytes(
    BLOCKS * BLOCK_BYTES - BLOCK_BYTES // 2
)
DIGEST = hashlib.sha256(IMAGE).digest()


class Cut(DirectTransport):
    """Pulled out after so many bytes to the board."""

    def __init__(self, engine: IntegerEngine, limit: int) -> None:
        super().__init__(engine, "cut", pace=False)
        self.left = limit

    def write(self, data: bytes) -> None:
        super().write(data[: self.left])
        self.left -= len(data)
        if self.left < 0:
            raise DeviceDisconnected("the line cut was lost.", hint="plug it in.")


def memory_of(engine: IntegerEngine) -> bytes:
    core: IntegerModel = engine._commands._core
    return core.memory.read(0, len(IMAGE))


def send(transport: DirectTransport) -> int:
    client = Client(transport)
    return upload(client, client.hello(), IMAGE, DIGEST)


def test_an_image_comes_over_whole_and_is_then_resident() -> None:
    engine = IntegerEngine(KIND)
    told: list[int] = []
    client = Client(DirectTransport(engine, "x", pace=False))
    sent = upload(
        client, client.hello(), IMAGE, DIGEST, lambda what, done, total: told.append(done)
    )

    assert sent == len(IMAGE)
    assert memory_of(engine) == IMAGE
    assert client.hello().model == DIGEST
    assert told[-1] == len(IMAGE)
    assert all(a < b for a, b in pairwise(told))


def test_what_is_resident_is_not_sent_again() -> None:
    engine = IntegerEngine(KIND)
    send(DirectTransport(engine, "x", pace=False))

    assert send(Cut(engine, 100)) == 0


@pytest.mark.parametrize("block", range(BLOCKS))
def test_after_a_break_the_upload_goes_on_where_it_stopped(block: int) -> None:
    engine = IntegerEngine(KIND)
    # A frame is a little longer than its data, so this is within the block.
    with pytest.raises(DeviceDisconnected):
        send(Cut(engine, int((block + 0.3) * BLOCK_BYTES * 1.02)))
    sent = send(DirectTransport(engine, "x", pace=False))

    assert memory_of(engine) == IMAGE
    assert sent == len(IMAGE) - block * BLOCK_BYTES


def test_another_model_is_sent_from_its_first_difference() -> None:
    engine = IntegerEngine(KIND)
    send(DirectTransport(engine, "x", pace=False))
    other = bytearray(IMAGE)
    other[3 * BLOCK_BYTES + 5] ^= 1
    client = Client(DirectTransport(engine, "x", pace=False))
    sent = upload(client, client.hello(), bytes(other), hashlib.sha256(other).digest())

    assert sent == len(IMAGE) - 3 * BLOCK_BYTES
    assert memory_of(engine) == other


@pytest.mark.parametrize(
    "kind", ["drop", "duplicate", "reorder", "flip", "truncate", "delay", "all"]
)
def test_an_upload_over_a_bad_cable_is_whole(kind: str) -> None:
    engine = IntegerEngine(KIND)
    transport = FaultyTransport(engine, Rates.parse(f"{kind}=0.03"), 5)
    client = Client(transport, clock=transport.clock)
    upload(client, client.hello(30.0), IMAGE, DIGEST)

    assert memory_of(engine) == IMAGE
    assert transport.injected > 5
    assert client.repeats > 0 or kind == "duplicate"


class Forgetful(IntegerEngine):
    """Memory in which one byte does not keep what is written."""

    def receive(self, data: bytes) -> list[Sent]:
        found = super().receive(data)
        memory = self._commands._core.memory
        memory._bytes[BLOCK_BYTES + 100] |= 0x10
        return found


def test_faulty_memory_is_told_of() -> None:
    with pytest.raises(VerifyFailed, match=f"at byte {BLOCK_BYTES}"):
        send(DirectTransport(Forgetful(KIND), "x", pace=False))


def test_a_commit_that_the_board_refuses() -> None:
    engine = IntegerEngine(KIND)
    client = Client(DirectTransport(engine, "x", pace=False))
    broken = bytes([0]) + IMAGE[1:]  # no boot record

    with pytest.raises(VerifyFailed, match="refused the uploaded model"):
        upload(client, client.hello(), broken, hashlib.sha256(broken).digest())
    assert client.hello().model is None


def test_a_reply_acknowledges_all_before_it() -> None:
    """Losing every second reply costs nothing: no request is sent twice."""

    class Quiet(IntegerEngine):
        count = 0

        def receive(self, data: bytes) -> list[Sent]:
            found = super().receive(data)
            self.count += len(data) > 1000
            return [] if len(data) > 1000 and self.count % 2 else found

    client = Client(DirectTransport(Quiet(KIND), "x", pace=False))
    upload(client, client.hello(), IMAGE, DIGEST)

    assert client.repeats <= BLOCKS
    assert zlib.crc32(IMAGE) and client.request(Type.COUNTERS)
