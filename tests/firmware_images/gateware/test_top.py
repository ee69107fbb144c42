"""The accelerator as a whole, from bytes to bytes, with every real part and block memory."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from amaranth.sim import Simulator

from edge_sdk.firmware_images.contract import isa, wire
from edge_sdk.firmware_images.contract.geometry import Ram
from edge_sdk.firmware_images.contract.isa import Instruction, Op
from edge_sdk.firmware_images.contract.wire import Code, Space, Type
from edge_sdk.firmware_images.gateware.array.array import TernaryArray
from edge_sdk.firmware_images.gateware.core.core import Core
from edge_sdk.firmware_images.gateware.link.layout import Settings
from edge_sdk.firmware_images.gateware.link.link import Link
from edge_sdk.firmware_images.gateware.memory.block import BlockMemory
from edge_sdk.firmware_images.gateware.top import Accelerator
from tests.firmware_images.gateware.board import GEOMETRY, MANIFEST, Host, collect

SHA = bytes(range(32))
GAINS = 256
"""Where in memory the gains of the tests stand."""


def run(script: Callable[[Host], Any], *, memory_bits: int = 16, **settings: Any) -> None:
    geometry = replace(GEOMETRY, memory_bits=memory_bits)
    link = Link(Settings(geometry, 1_000_000, MANIFEST, **settings))
    array = TernaryArray(memory_bits, geometry.q_depth)
    memory = BlockMemory(memory_bits, geometry.memory_words)
    top = Accelerator(memory, array, Core(geometry), link)
    out = bytearray()

    async def host(ctx: Any) -> None:
        ctx.set(top.line_idle, 1)
        ctx.set(top.scl, 1)
        ctx.set(top.sda, 1)
        one = Host(ctx, top, out)
        await one.good(Type.HELLO)
        await script(one)

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(collect(top, out), background=True)
    simulator.add_testbench(host)
    simulator.run()


def write(space: int, address: int, data: bytes) -> bytes:
    return wire.REQUESTS[Type.WRITE].pack(space, 0, address) + data


async def load(host: Host, body: list[Instruction]) -> None:
    """A model of that body and an empty head, which accepts ten tokens."""
    boot = isa.Boot(vocabulary=10, state_halfwords=16, body=16, head=8)
    halt = Instruction(Op.HALT).encode()
    image = boot.encode() + halt + b"".join(one.encode() for one in body) + halt
    await host.good(Type.LOAD_BEGIN, SHA)
    await host.good(Type.WRITE, write(Space.MEMORY, 0, image))
    request = wire.REQUESTS[Type.LOAD_COMMIT].pack(len(image) // 2, zlib.crc32(image), SHA)
    await host.good(Type.LOAD_COMMIT, request)


def feed(position: int, ids: list[int], top_k: int = 0) -> bytes:
    head = wire.REQUESTS[Type.FEED].pack(position, top_k, 0, len(ids))
    return head + struct.pack(f"<{len(ids)}H", *ids)


def test_tokens_run_a_program_from_memory() -> None:
    body = Instruction(Op.PRD, n=4, ram1=Ram.S, offset=0, ram2=Ram.A, ram3=Ram.S, factor=4)

    async def script(host: Host) -> None:
        await load(host, [body])
        await host.good(Type.WRITE, write(Space.RAM_S, 0, struct.pack("<4h", 3, -4, 5, 6)))
        await host.good(Type.WRITE, write(Space.RAM_A, 0, struct.pack("<4h", 7, 8, -9, 10)))
        data = await host.good(Type.FEED, feed(0, [1, 9]))
        position, cycles, *_ = wire.REPLIES[Type.FEED].unpack(data)
        assert position == 2
        request = wire.REQUESTS[Type.READ].pack(Space.RAM_S, 0, 4, 4)
        product = struct.unpack("<4h", await host.good(Type.READ, request))
        assert product == (21, -32, -45, 60)
        counters = wire.REPLIES[Type.COUNTERS].unpack(await host.good(Type.COUNTERS))
        assert cycles > 0
        assert counters[wire.Counter.BUSY] >= cycles
        assert await host.refused(Type.FEED, feed(2, [10])) == (Code.BAD_TOKEN, 0)

    run(script)


def test_a_bad_opcode_in_memory_is_reported_with_its_address() -> None:
    async def script(host: Host) -> None:
        await load(host, [Instruction(Op.BOOT)])
        assert await host.refused(Type.FEED, feed(0, [1])) == (Code.BAD_OPCODE, 16)
        assert await host.refused(Type.EXECUTE, bytes(16)) == (Code.BAD_OPCODE, 0)
        await host.good(Type.RESET)

    run(script)


def test_after_the_watchdog_memory_and_core_go_on() -> None:
    gains = random.Random(3).randbytes(128)
    long = Instruction(Op.QNT, n=64, ram1=Ram.A, address=GAINS).encode()

    async def script(host: Host) -> None:
        await host.good(Type.WRITE, write(Space.MEMORY, GAINS, gains))
        for _ in range(2):
            assert await host.refused(Type.EXECUTE, long) == (Code.WATCHDOG, 0)
            request = wire.REQUESTS[Type.READ].pack(Space.MEMORY, 0, GAINS + 8, 8)
            assert await host.good(Type.READ, request) == gains[16:32]
        await host.good(Type.EXECUTE, Instruction(Op.HALT).encode())

    for memory_bits in (16, 32):
        run(script, memory_bits=memory_bits, watchdog_cycles=110)
