"""A link in Amaranth's simulator, with block memory, a core that tests tell what to do, and a host.

The host side is written here from docs/wire-protocol.md; it shares no code with devices/board.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.sim import Simulator

from edge_sdk.firmware_images.contract import wire
from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.gateware.link.layout import Settings
from edge_sdk.firmware_images.gateware.link.link import Link
from edge_sdk.firmware_images.gateware.link.memory_switch import MemorySwitch
from edge_sdk.firmware_images.gateware.memory.block import BlockMemory
from edge_sdk.firmware_images.gateware.ports import Task

GEOMETRY = Geometry(
    memory_bits=16,
    memory_words=1024,
    x_depth=64,
    s_depth=128,
    a_depth=64,
    b_depth=32,
    q_depth=16,
)
MANIFEST = bytes(range(40))
BUILD_ID = b"\x01\x02\x03\x04\x05\x06\x07\x08"
SETTINGS = {"manifest": MANIFEST, "build_id": BUILD_ID, "i2c_delay": 2, "patience": 40}
PATIENCE = 200_000
"""Clock cycles after which a test gives up."""
Process = Callable[[Any], Any]
"""A testbench of Amaranth's simulator."""


def cobs(data: bytes) -> bytes:
    """Encoded, without the zero at the end."""
    out = b""
    for block in data.split(b"\0"):
        while len(block) >= 254:
            out, block = out + b"\xff" + block[:254], block[254:]
        out += bytes([len(block) + 1]) + block
    return out


def uncobs(data: bytes) -> bytes:
    """Decoded; fails the test if it is malformed."""
    out = b""
    while data:
        code, block, data = data[0], data[1 : data[0]], data[data[0] :]
        assert code and len(block) == code - 1
        out += block + (b"\0" if code < 255 and data else b"")
    return out


def frame(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    """A frame as it goes over the line."""
    body = struct.pack("<BHH", kind, sequence, len(payload)) + payload
    return cobs(body + struct.pack("<I", zlib.crc32(body))) + b"\0"


def unframe(encoded: bytes) -> tuple[int, int, bytes]:
    """Type, sequence number, payload; fails the test if anything is off."""
    data = uncobs(encoded)
    kind, sequence, length = struct.unpack_from("<BHH", data)
    assert len(data) == length + 9
    assert struct.unpack("<I", data[-4:])[0] == zlib.crc32(data[:-4])
    return kind, sequence, data[5:-4]


@dataclass
class CoreState:
    """What the core of a test has done and is to do."""

    tasks: list[tuple[Task, int, int]] = field(default_factory=list)
    instructions: list[bytes] = field(default_factory=list)
    programs: list[int] = field(default_factory=list)
    rams: dict[int, dict[int, int]] = field(default_factory=lambda: {i: {} for i in range(4)})
    duration: int = 10
    code: int = 0
    fault: int = 0
    stuck: bool = False
    """Takes no task."""
    deaf: bool = False
    """Takes a task and does not end it before it is broken off."""
    dead: bool = False
    """Takes a task and never ends it."""
    leaves: int = 0
    """Words that it has asked memory for when it is broken off."""
    scores: list[tuple[int, int]] = field(default_factory=list)
    mantissa: int = 0
    shift: int = 0
    aborts: int = 0


class Bench(wiring.Component):
    """The link with what it needs around it; `core` and `memory` are for the tests' processes."""

    def __init__(self, geometry: Geometry = GEOMETRY, **settings: Any) -> None:
        self.link = Link(Settings(geometry, 1_000_000, **{**SETTINGS, **settings}))
        self.memory = BlockMemory(geometry.memory_bits, geometry.memory_words)
        self.switch = MemorySwitch(geometry.memory_bits, self.memory.address_bits)
        self.idle = Signal(init=1)
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = self.link
        m.submodules.memory = self.memory
        m.submodules.switch = self.switch
        wiring.connect(m, self.link.memory, self.switch.link)
        wiring.connect(m, self.switch.memory, self.memory.port)
        m.d.comb += self.switch.core_owns.eq(self.link.runs)
        m.d.comb += self.link.line_idle.eq(self.idle)
        return m


class Host:
    """Talks to a simulated link, inside a testbench of Amaranth's simulator."""

    def __init__(self, ctx: Any, link: Any, out: bytearray) -> None:
        self.ctx = ctx
        self.link = link
        self.sequence = 0xFFFF
        self.out = out
        """What the link has sent and nobody has taken yet."""

    async def put(self, data: bytes) -> None:
        """Bytes to the link."""
        stream = self.link.received
        self.ctx.set(stream.valid, 1)
        for byte in data:
            self.ctx.set(stream.payload, byte)
            await moves(self.ctx, stream.ready)
        self.ctx.set(stream.valid, 0)

    async def get(self, patience: int = PATIENCE) -> bytes | None:
        """The next frame without its zero, or None if none comes."""
        for _ in range(patience):
            end = self.out.find(0)
            if end >= 0:
                found = bytes(self.out[:end])
                del self.out[: end + 1]
                return found
            await self.ctx.tick()
        return None

    async def ask(self, kind: int, payload: bytes = b"") -> tuple[int, int, bytes]:
        """One request and its reply."""
        self.sequence = (self.sequence + 1) & 0xFFFF
        await self.put(frame(kind, self.sequence, payload))
        reply = await self.get()
        assert reply is not None, "no reply"
        return unframe(reply)

    async def good(self, kind: wire.Type, payload: bytes = b"") -> bytes:
        """The payload of a reply that is no refusal."""
        got, sequence, data = await self.ask(kind, payload)
        assert (got, sequence) == (kind | wire.REPLY, self.sequence), (got, data)
        return data

    async def refused(self, kind: int, payload: bytes = b"") -> tuple[wire.Code, int]:
        """Code and detail of a refusal."""
        got, sequence, data = await self.ask(kind, payload)
        assert (got, sequence) == (wire.ERROR, self.sequence), (got, data)
        request, code, detail = wire.REFUSAL.unpack(data)
        assert request == kind
        return wire.Code(code), detail


async def moves(ctx: Any, condition: Any) -> None:
    """Until the end of the first cycle in which `condition` holds.

    Unlike Amaranth's `until` it leaves nothing behind when a simulation ends while it waits.
    """
    while not ctx.get(condition):
        await ctx.tick()
    await ctx.tick()


def collect(link: Any, out: bytearray) -> Process:
    """Takes what the link sends."""

    async def process(ctx: Any) -> None:
        ctx.set(link.sent.ready, 1)
        while True:
            if ctx.get(link.sent.valid):
                out.append(ctx.get(link.sent.payload))
            await ctx.tick()

    return process


def core_processes(bench: Bench, state: CoreState) -> list[Process]:
    """A core that does as `state` says."""
    core, port = bench.link.core, bench.switch.core

    async def tasks(ctx: Any) -> None:
        busy = 0
        while True:
            ctx.set(core.task.ready, int(not state.stuck))
            state.aborts += state.stuck and ctx.get(core.abort)
            if state.stuck or not ctx.get(core.task.valid):
                await ctx.tick()
                continue
            await ctx.tick()
            ctx.set(core.task.ready, 0)
            task = ctx.get(core.task.payload)
            state.tasks.append((Task(task.task), task.token, task.top_k))
            state.instructions.append(ctx.get(core.instruction).to_bytes(16, "little"))
            state.programs.append(ctx.get(core.body))
            if state.leaves:
                ctx.set(port.request.payload, {"address": 5, "count": state.leaves, "write": 0})
                ctx.set(port.request.valid, 1)
                await moves(ctx, port.request.ready)
                ctx.set(port.request.valid, 0)
            if state.deaf or state.dead:
                await moves(ctx, core.abort)
                state.aborts += 1
                if state.dead:
                    return
                code = int(wire.Code.WATCHDOG)
            else:
                for _ in range(state.duration):
                    await ctx.tick()
                busy += state.duration
                code = state.code
            ctx.set(core.counters[wire.Counter.BUSY], busy)
            ctx.set(core.code, code)
            ctx.set(core.fault, state.fault)
            ctx.set(core.mantissa, state.mantissa)
            ctx.set(core.shift, state.shift)
            ctx.set(core.top_count, len(state.scores))
            ctx.set(core.done, 1)
            await ctx.tick()
            ctx.set(core.done, 0)

    async def writes(ctx: Any) -> None:
        while True:
            if ctx.get(core.ram_write):
                ram, address = ctx.get(core.ram), ctx.get(core.ram_address)
                state.rams[ram][address] = ctx.get(core.ram_write_data)
            await ctx.tick()

    async def reads(ctx: Any) -> None:
        async for ram, address in ctx.changed(core.ram, core.ram_address):
            ctx.set(core.ram_read_data, state.rams[ram].get(address, 0))

    async def scores(ctx: Any) -> None:
        async for index, _ in ctx.changed(core.top_index, core.top_count):
            if index < len(state.scores):
                ctx.set(core.top_row, state.scores[index][0])
                ctx.set(core.top_sum, state.scores[index][1])

    return [tasks, writes, reads, scores]


def run(
    script: Callable[[Host, CoreState], Any],
    *,
    hello: bool = True,
    processes: Callable[[Bench], list[Process]] = lambda bench: [],
    geometry: Geometry = GEOMETRY,
    **settings: Any,
) -> CoreState:
    """Run `script` against a new link; it has said HELLO before, unless told not to."""
    bench = Bench(geometry, **settings)
    state = CoreState()
    simulator = Simulator(bench)
    simulator.add_clock(1e-6)
    out = bytearray()
    background = [collect(bench.link, out), *core_processes(bench, state), *processes(bench)]
    for process in background:
        simulator.add_testbench(process, background=True)

    async def host(ctx: Any) -> None:
        one = Host(ctx, bench.link, out)
        ctx.set(bench.link.scl, 1)
        ctx.set(bench.link.sda, 1)
        if hello:
            await one.good(wire.Type.HELLO)
        await script(one, state)

    simulator.add_testbench(host)
    simulator.run()
    return state
