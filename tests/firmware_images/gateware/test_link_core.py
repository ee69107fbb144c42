"""Tokens, instructions and counters through the link, with a core that does as it is told."""

from __future__ import annotations

import struct

import pytest

from edge_sdk.firmware_images.contract import wire
from edge_sdk.firmware_images.contract.wire import Code, Space, Type
from edge_sdk.firmware_images.gateware.link.bus import CORE_COUNTERS
from edge_sdk.firmware_images.gateware.ports import Task
from tests.firmware_images.gateware.board import CoreState, Host, run
from tests.firmware_images.gateware.test_link_memory import commit, image, read, upload, write

WATCHDOG = 700


def feed(position: int, ids: list[int], top_k: int = 0) -> bytes:
    head = wire.REQUESTS[Type.FEED].pack(position, top_k, 0, len(ids))
    return head + struct.pack(f"<{len(ids)}H", *ids)


async def load(host: Host, core: CoreState) -> None:
    data = image()
    await upload(host, data)
    await host.good(Type.LOAD_COMMIT, commit(data))
    core.tasks.clear()
    core.programs.clear()


def test_tokens_run_the_body_and_then_the_head() -> None:
    async def script(host: Host, core: CoreState) -> None:
        await load(host, core)
        fixed = wire.REPLIES[Type.FEED]
        data = await host.good(Type.FEED, feed(0, [3, 49, 0]))
        position, cycles, *scores = fixed.unpack(data)
        assert (position, scores) == (3, [0, 0, 0])
        assert [task[:2] for task in core.tasks] == [(Task.BODY, i) for i in (3, 49, 0)]
        assert core.programs == [8, 8, 8]
        assert cycles == 3 * core.duration

        core.scores = [(7, -5), (40000, 8_000_000), (1, -8_000_000)]
        core.mantissa, core.shift, core.duration = 0x1F00D, 33, 300
        data = await host.good(Type.FEED, feed(3, [5], top_k=3))
        position, cycles, mantissa, shift, count = fixed.unpack_from(data)
        assert (position, mantissa, shift, count) == (4, 0x1F00D, 33, 3)
        assert cycles == 2 * core.duration
        entries = [wire.TOP_ENTRY.unpack_from(data, fixed.size + 6 * i) for i in range(3)]
        assert entries == core.scores
        assert core.tasks[-1] == (Task.HEAD, 5, 3)
        assert core.programs[-1] == 16

    run(script)


def test_feed_is_checked_before_anything_runs() -> None:
    async def script(host: Host, core: CoreState) -> None:
        assert await host.refused(Type.FEED, feed(0, [1])) == (Code.NO_MODEL, 0)
        await load(host, core)
        await host.good(Type.SEEK, struct.pack("<I", 70000))
        assert await host.refused(Type.FEED, feed(0, [1])) == (Code.BAD_POSITION, 70000)
        assert await host.refused(Type.FEED, feed(70000, [1, 50, 2])) == (Code.BAD_TOKEN, 0)
        assert await host.refused(Type.FEED, feed(70000, [1], 65)) == (Code.BAD_ARGUMENT, 0)
        assert await host.refused(Type.FEED, feed(70000, [])) == (Code.BAD_LENGTH, 0)
        assert await host.refused(Type.FEED, feed(70000, [1] * 65)) == (Code.BAD_LENGTH, 0)
        assert await host.refused(Type.FEED, feed(70000, [1, 2])[:-2]) == (Code.BAD_LENGTH, 0)
        assert not core.tasks
        data = await host.good(Type.FEED, feed(70000, [1] * 64))
        assert data[:4] == struct.pack("<I", 70064)

    run(script)


def test_what_the_core_refuses_stops_the_run() -> None:
    async def script(host: Host, core: CoreState) -> None:
        await load(host, core)
        core.code, core.fault = Code.BAD_OPCODE, 0x00ABCDE8
        assert await host.refused(Type.FEED, feed(0, [1, 2], 3)) == (Code.BAD_OPCODE, 0x00ABCDE8)
        assert len(core.tasks) == 1
        assert await host.refused(Type.EXECUTE, bytes(16)) == (Code.BAD_OPCODE, 0x00ABCDE8)
        core.code = 0
        data = await host.good(Type.FEED, feed(0, [1]))
        assert data[:4] == b"\1\0\0\0"

    run(script)


def test_one_instruction() -> None:
    one = bytes(range(16))

    async def script(host: Host, core: CoreState) -> None:
        core.duration = 250
        (cycles,) = struct.unpack("<I", await host.good(Type.EXECUTE, one))
        assert cycles == core.duration
        assert [task for task, *_ in core.tasks] == [Task.EXECUTE]
        assert core.instructions == [one]

    run(script)


@pytest.mark.parametrize("how", ["stuck", "deaf", "dead"])
def test_the_watchdog_ends_a_core_that_does_not(how: str) -> None:
    async def script(host: Host, core: CoreState) -> None:
        await load(host, core)
        await host.good(Type.FEED, feed(0, [1]))
        setattr(core, how, True)
        assert await host.refused(Type.FEED, feed(1, [1, 2], 1)) == (Code.WATCHDOG, 0)
        assert core.aborts == 1
        assert await host.refused(Type.RESET) == (Code.WATCHDOG, 0)
        setattr(core, how, False)
        if how == "dead":  # nothing more to be had from that core, but the link answers
            await host.good(Type.HELLO)
            return
        # The position is what it was, and memory answers.
        assert await host.refused(Type.FEED, feed(2, [1])) == (Code.BAD_POSITION, 1)
        await host.good(Type.FEED, feed(1, [1]))
        assert await host.good(Type.READ, read(Space.MEMORY, 0, 8)) == image()[:16]

    run(script, watchdog_cycles=WATCHDOG)


@pytest.mark.parametrize("left", [1, 2, 20])
def test_a_burst_that_was_broken_off_is_not_mistaken_for_data(left: int) -> None:
    async def script(host: Host, core: CoreState) -> None:
        data = bytes(range(1, 81))
        await host.good(Type.WRITE, write(Space.MEMORY, 0, data))
        core.deaf, core.leaves = True, left
        assert await host.refused(Type.EXECUTE, bytes(16)) == (Code.WATCHDOG, 0)
        core.deaf, core.leaves = False, 0
        assert await host.good(Type.READ, read(Space.MEMORY, 10, 3)) == data[20:26]
        await host.good(Type.WRITE, write(Space.MEMORY, 2, b"\xaa\xbb"))
        assert await host.good(Type.READ, read(Space.MEMORY, 1, 3)) == b"\3\4\xaa\xbb\7\x08"

    run(script, watchdog_cycles=WATCHDOG)


def test_the_counters_are_the_cores_and_the_links() -> None:
    async def script(host: Host, core: CoreState) -> None:
        for i, counter in enumerate(CORE_COUNTERS[1:]):
            host.ctx.set(host.link.core.counters[counter], 0x01020304 * (i + 1))
        await host.good(Type.EXECUTE, bytes(16))
        values = wire.REPLIES[Type.COUNTERS].unpack(await host.good(Type.COUNTERS))
        assert values[1:8] == (core.duration, *(0x01020304 * (i + 1) for i in range(6)))
        later = wire.REPLIES[Type.COUNTERS].unpack(await host.good(Type.COUNTERS))
        assert 0 < later[0] - values[0] < 3000
        assert later[wire.Counter.FRAMES] == values[wire.Counter.FRAMES] + 1

    run(script)
