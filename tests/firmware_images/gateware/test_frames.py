"""Frames in and out: COBS and CRC-32 of the gateware against Python's, on made-up bytes."""

from __future__ import annotations

import random
import zlib
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.sim import Simulator

from edge_sdk.firmware_images.gateware.link.crc import Crc32
from edge_sdk.firmware_images.gateware.link.frame_receiver import FrameReceiver
from edge_sdk.firmware_images.gateware.link.frame_sender import FrameSender
from tests.firmware_images.gateware.board import cobs, uncobs

LIMIT = 600
BYTES = random.Random(1)
BODIES = [
    b"\x01",
    b"\0",
    b"\0" * 7,
    bytes(range(1, 255)),
    bytes(range(1, 255)) + b"\x07",
    bytes(range(1, 255)) + b"\0",
    b"\0" + bytes([9]) * 253 + b"\0",
    bytes([5]) * 510,
    *(bytes(BYTES.choices((0, 0, 1, 255, 7), k=BYTES.randrange(1, 60))) for _ in range(20)),
    *(BYTES.randbytes(BYTES.randrange(1, 400)) for _ in range(4)),
]


def sealed(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "little")


def simulate(top: Any, bench: Any) -> None:
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_the_crc_is_zlibs() -> None:
    crc = Crc32()

    async def bench(ctx: Any) -> None:
        for body in BODIES[:12]:
            ctx.set(crc.clear, 1)
            await ctx.tick()
            ctx.set(crc.clear, 0)
            ctx.set(crc.feed, 1)
            for i, byte in enumerate(sealed(body)):
                if i == len(body):
                    assert ctx.get(crc.value) == zlib.crc32(body)
                ctx.set(crc.data, byte)
                await ctx.tick()
            ctx.set(crc.feed, 0)
            assert ctx.get(crc.good)

    simulate(crc, bench)


class Receiving(wiring.Component):
    """A receiver with its CRC; what it writes is taken by the test."""

    def __init__(self) -> None:
        self.receiver = FrameReceiver(LIMIT)
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = self.receiver
        m.submodules.crc = crc = Crc32()
        m.d.comb += [
            crc.clear.eq(receiver.go_on),
            crc.feed.eq(receiver.write),
            crc.data.eq(receiver.data),
            receiver.crc_good.eq(crc.good),
        ]
        return m


async def receive(ctx: Any, receiver: FrameReceiver, encoded: bytes) -> tuple[bool, bytes]:
    """Whether the frame was good, and what was written."""
    written = bytearray(LIMIT + 8)
    source = random.Random(len(encoded))
    left = list(encoded)
    for _ in range(12 * len(encoded) + 40):
        if ctx.get(receiver.ended):
            break
        ctx.set(receiver.hold, source.random() < 0.2)
        ctx.set(receiver.bytes.valid, int(bool(left) and source.random() < 0.8))
        ctx.set(receiver.bytes.payload, left[0] if left else 0)
        if ctx.get(receiver.write):
            written[ctx.get(receiver.count)] = ctx.get(receiver.data)
        if ctx.get(receiver.bytes.valid) and ctx.get(receiver.bytes.ready):
            left.pop(0)
        await ctx.tick()
    else:
        raise AssertionError("no end of the frame")
    good, end = bool(ctx.get(receiver.good)), ctx.get(receiver.count)
    assert end <= LIMIT
    ctx.set(receiver.go_on, 1)
    await ctx.tick()
    ctx.set(receiver.go_on, 0)
    assert not left
    return good, bytes(written[1:end])


def test_good_frames_are_taken_apart() -> None:
    top = Receiving()

    async def bench(ctx: Any) -> None:
        for body in BODIES:
            encoded = b"\0" * (len(body) % 3) + cobs(sealed(body)) + b"\0"
            assert await receive(ctx, top.receiver, encoded) == (True, sealed(body))

    simulate(top, bench)


def test_no_damage_makes_a_good_frame() -> None:
    top = Receiving()
    source = random.Random(8)

    async def bench(ctx: Any) -> None:
        for body in BODIES[8:]:
            encoded = bytearray(cobs(sealed(body)))
            match source.randrange(3):
                case 0:
                    encoded[source.randrange(len(encoded))] ^= 1 << source.randrange(8)
                case 1:
                    del encoded[source.randrange(len(encoded))]
                case _:
                    encoded.insert(source.randrange(len(encoded)), source.randrange(1, 256))
            for part in bytes(encoded).split(b"\0"):
                if part:
                    good, data = await receive(ctx, top.receiver, part + b"\0")
                    assert not good, (body, part, data)
        assert (await receive(ctx, top.receiver, cobs(sealed(b"\1\2")) + b"\0"))[0]

    simulate(top, bench)


def test_a_frame_over_the_cap_is_not_good_and_stays_in_its_place() -> None:
    top = Receiving()

    async def bench(ctx: Any) -> None:
        fits, over = sealed(bytes([1]) * (LIMIT - 5)), sealed(bytes([1]) * (LIMIT - 4))
        assert await receive(ctx, top.receiver, cobs(fits) + b"\0") == (True, fits)
        good, data = await receive(ctx, top.receiver, cobs(over) + b"\0")
        assert (good, data) == (False, over[: LIMIT - 1])

    simulate(top, bench)


class Sending(wiring.Component):
    """A sender with its CRC and a buffer that holds `contents` from byte 1 on."""

    def __init__(self, contents: bytes) -> None:
        data = bytes([0]) + contents + bytes(2)
        self.words = [int.from_bytes(data[i : i + 2], "little") for i in range(0, len(data) - 1, 2)]
        self.sender = FrameSender((len(self.words) - 1).bit_length())
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sender = sender = self.sender
        m.submodules.crc = crc = Crc32()
        m.submodules.buffer = buffer = memory.Memory(
            shape=16, depth=len(self.words), init=self.words
        )
        port = buffer.read_port()
        m.d.comb += [
            port.addr.eq(sender.address),
            sender.word.eq(port.data),
            crc.clear.eq(sender.crc_clear),
            crc.feed.eq(sender.crc_feed),
            crc.data.eq(sender.byte),
            sender.crc.eq(crc.value),
        ]
        return m


@pytest.mark.parametrize("patient", [True, False])
def test_frames_are_put_together(patient: bool) -> None:
    contents = b"".join(BODIES)
    top = Sending(contents)
    source = random.Random(3)

    async def bench(ctx: Any) -> None:
        sender = top.sender
        begin = 1
        for body in BODIES:
            ctx.set(sender.first, begin)
            ctx.set(sender.end, begin + len(body))
            ctx.set(sender.start, 1)
            await ctx.tick()
            ctx.set(sender.start, 0)
            out = bytearray()
            while ctx.get(sender.busy):
                ctx.set(sender.bytes.ready, int(patient or source.random() < 0.5))
                if ctx.get(sender.bytes.valid) and ctx.get(sender.bytes.ready):
                    out.append(ctx.get(sender.bytes.payload))
                await ctx.tick()
            assert out[-1] == 0
            assert 0 not in out[:-1]
            assert uncobs(bytes(out[:-1])) == sealed(body)
            begin += len(body)

    simulate(top, bench)
