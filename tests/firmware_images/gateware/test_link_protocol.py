"""The rules that hold for every request: frames, sequence numbers, refusals, nothing hangs."""

from __future__ import annotations

import random
from typing import Any

from edge_sdk.firmware_images.contract import wire
from edge_sdk.firmware_images.contract.wire import Code, Type
from tests.firmware_images.gateware.board import (
    BUILD_ID,
    MANIFEST,
    Bench,
    CoreState,
    Host,
    Process,
    cobs,
    frame,
    run,
    unframe,
)

FRAMES = wire.Counter.FRAMES
FRAME_ERRORS = wire.Counter.FRAME_ERRORS


async def counters(host: Host) -> tuple[int, ...]:
    return wire.REPLIES[Type.COUNTERS].unpack(await host.good(Type.COUNTERS))


def test_hello_says_what_the_board_is() -> None:
    async def script(host: Host, core: CoreState) -> None:
        await host.put(b"\0\0")
        data = await host.good(Type.HELLO)
        fixed = wire.REPLIES[Type.HELLO]
        magic, protocol, flags, found, position, build, resident = fixed.unpack_from(data)
        assert (magic, protocol) == (wire.MAGIC, wire.PROTOCOL)
        assert flags == 1 << wire.HelloFlag.MEMORY_GOOD
        assert (found, position, build, resident) == (1024, 0, BUILD_ID, bytes(32))
        assert data[fixed.size :] == MANIFEST
        assert (await counters(host))[FRAMES : FRAME_ERRORS + 1] == (2, 0)

    run(script, hello=False)


def test_the_sequence_starts_anywhere_and_gaps_are_refused() -> None:
    async def script(host: Host, core: CoreState) -> None:
        # Before the first HELLO the board expects 0.
        host.sequence = 41
        assert await host.refused(Type.COUNTERS) == (Code.BAD_SEQUENCE, 0)
        host.sequence = 0xFFFE
        assert await host.refused(Type.COUNTERS) == (Code.BAD_SEQUENCE, 0)
        host.sequence = 0xFFFD
        await host.good(Type.HELLO)
        await host.good(Type.COUNTERS)
        await host.good(Type.COUNTERS)  # 0 after 0xFFFF
        host.sequence = 7
        assert await host.refused(Type.COUNTERS) == (Code.BAD_SEQUENCE, 1)
        host.sequence = 0
        await host.good(Type.COUNTERS)

    run(script, hello=False)


def test_the_last_request_again_is_answered_from_memory() -> None:
    async def script(host: Host, core: CoreState) -> None:
        first = await counters(host)
        # A gap in between does not lose the reply that is kept.
        await host.put(frame(Type.COUNTERS, host.sequence + 5))
        assert unframe(await host.get() or b"")[0] == wire.ERROR
        await host.put(frame(Type.COUNTERS, host.sequence))
        kind, sequence, data = unframe(await host.get() or b"")
        assert (kind, sequence) == (Type.COUNTERS | wire.REPLY, host.sequence)
        assert wire.REPLIES[Type.COUNTERS].unpack(data) == first

        # A refusal counts, and is repeated too.
        assert await host.refused(0x7E) == (Code.UNKNOWN_TYPE, 0)
        await host.put(frame(0x7E, host.sequence))
        assert unframe(await host.get() or b"")[2][1] == Code.UNKNOWN_TYPE

        # What stands in the frame does not matter: its number was executed.
        await host.good(Type.EXECUTE, bytes(16))
        await host.put(frame(Type.EXECUTE, host.sequence, bytes(16)))
        assert unframe(await host.get() or b"")[0] == Type.EXECUTE | wire.REPLY
        assert len(core.tasks) == 1
        assert await counters(host) > first

    run(script)


def test_a_wrong_length_is_refused() -> None:
    async def script(host: Host, core: CoreState) -> None:
        for kind in Type:
            right = wire.REQUESTS[kind].size
            for length in {right + 1, max(right - 1, 1)}:
                assert await host.refused(kind, bytes(length)) == (Code.BAD_LENGTH, 0)
        await host.good(Type.HELLO)
        assert not core.tasks

    run(script)


def test_types_that_do_not_exist_are_refused() -> None:
    async def script(host: Host, core: CoreState) -> None:
        for kind in (0, 3, 0x0F, 0x15, 0x24, 0x2F, 0x32, 0x80, wire.ERROR):
            assert await host.refused(kind) == (Code.UNKNOWN_TYPE, 0)

    run(script)


def test_damaged_frames_are_dropped_and_counted() -> None:
    good = frame(Type.COUNTERS, 0)
    flipped = bytes([good[0], good[1] ^ 0x04, *good[2:]])
    cut = good[: len(good) // 2] + b"\0"
    longer = cobs(b"\x30\0\0\0\0" + bytes(5)) + b"\0"
    short = cobs(bytes(4)) + b"\0"  # the CRC of nothing is four zeros
    past_the_end = b"\x09\x01\x02\0"

    async def script(host: Host, core: CoreState) -> None:
        for damaged in (flipped, cut, longer, short, past_the_end):
            await host.put(damaged)
            assert await host.get(patience=400) is None
        assert (await counters(host))[FRAME_ERRORS] == 5
        # Empty frames are none.
        await host.put(b"\0\0\0")
        assert (await counters(host))[FRAME_ERRORS] == 5

    run(script)


def test_frames_over_the_cap_are_dropped() -> None:
    async def script(host: Host, core: CoreState) -> None:
        await host.put(frame(Type.WRITE, 1, bytes([1]) * (wire.MAX_PAYLOAD + 1)))
        await host.put(b"\x55" * 1500 + b"\0")
        assert await host.get(patience=200) is None
        assert (await counters(host))[FRAME_ERRORS] == 2
        # The longest that is allowed is taken whole, and then refused for what it says.
        assert await host.refused(Type.WRITE, bytes([1]) * wire.MAX_PAYLOAD) == (
            Code.BAD_LENGTH,
            0,
        )

    run(script)


def test_no_garbage_hangs_it_or_makes_it_answer() -> None:
    source = random.Random(5)

    async def script(host: Host, core: CoreState) -> None:
        for _ in range(12):
            length = source.randrange(60)
            await host.put(bytes(source.choices(range(256), k=length)) + b"\0")
            good = bytearray(frame(Type.WRITE, host.sequence + 1, b"\x10\0\0\0\0\0\1\2"))
            good[source.randrange(len(good) - 1)] ^= 1 << source.randrange(8)
            await host.put(bytes(good) + b"\0")
        assert await host.get(patience=300) is None
        await host.good(Type.HELLO)
        assert not core.tasks
        assert not any(core.rams.values())

    run(script)


def test_requests_sent_together_are_answered_one_by_one() -> None:
    async def script(host: Host, core: CoreState) -> None:
        first = host.sequence + 1
        requests = [frame(Type.SEEK, (first + i) & 0xFFFF, bytes(4)) for i in range(4)]
        await host.put(b"".join(requests))
        for i in range(4):
            _, sequence, data = unframe(await host.get() or b"")
            assert sequence == (first + i) & 0xFFFF
            assert data[1] == Code.NO_MODEL

    run(script)


def test_a_rate_is_set_after_the_reply_and_given_up_without_a_good_frame() -> None:
    rates: list[int] = []

    def line(bench: Bench) -> list[Process]:
        async def process(ctx: Any) -> None:
            async for *_, changes, divisor in ctx.tick().sample(
                bench.link.set_divisor, bench.link.divisor
            ):
                if changes:
                    rates.append(divisor)

        return [process]

    async def script(host: Host, core: CoreState) -> None:
        assert await host.refused(Type.SET_BAUD, b"\3\0") == (Code.BAD_ARGUMENT, 0)
        await host.good(Type.SET_BAUD, b"\x19\0")
        assert rates == []
        await host.good(Type.COUNTERS)
        await host.ctx.tick().repeat(2500)
        assert rates == [25]
        await host.good(Type.SET_BAUD, b"\x05\0")
        await host.put(b"\1\2\3\0")  # no good frame
        await host.ctx.tick().repeat(2500)
        assert rates == [25, 5, round(1_000_000 / wire.DEFAULT_BAUD)]

    run(script, processes=line, trial_cycles=2000)
