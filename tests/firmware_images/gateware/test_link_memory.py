"""Uploads, reads and checks through the link, over block memory."""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import replace

import pytest

from edge_sdk.firmware_images.contract import isa, wire
from edge_sdk.firmware_images.contract.wire import Code, Space, Type
from edge_sdk.firmware_images.gateware.ports import Task
from tests.firmware_images.gateware.board import GEOMETRY, CoreState, Host, run

SHA = bytes(range(100, 132))
WORDS = GEOMETRY.memory_words


def write(space: int, address: int, data: bytes) -> bytes:
    return wire.REQUESTS[Type.WRITE].pack(space, 0, address) + data


def read(space: int, address: int, count: int) -> bytes:
    return wire.REQUESTS[Type.READ].pack(space, 0, address, count)


def image(**fields: int) -> bytes:
    """A boot record and a few halfwords behind it."""
    boot = {"vocabulary": 50, "state_halfwords": 16, "body": 8, "head": 16, **fields}
    return isa.Boot(**boot).encode() + random.Random(3).randbytes(40)


async def upload(host: Host, data: bytes, sha: bytes = SHA) -> None:
    """LOAD_BEGIN and WRITEs; no LOAD_COMMIT."""
    await host.good(Type.LOAD_BEGIN, sha)
    await host.good(Type.WRITE, write(Space.MEMORY, 0, data))


def commit(data: bytes, sha: bytes = SHA) -> bytes:
    return wire.REQUESTS[Type.LOAD_COMMIT].pack(len(data) // 2, zlib.crc32(data), sha)


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_what_was_written_is_read_and_checked(bits: int) -> None:
    step = bits // 16
    data = random.Random(bits).randbytes(48)

    async def script(host: Host, core: CoreState) -> None:
        at = 5 * step
        await host.good(Type.WRITE, write(Space.MEMORY, at, data))
        await host.good(Type.WRITE, write(Space.MEMORY, at + 24, data[:8]))
        assert await host.good(Type.READ, read(Space.MEMORY, at, 24)) == data
        part = data[2 * step : 2 * step + 16]
        assert await host.good(Type.READ, read(Space.MEMORY, at + step, 8)) == part
        crc = await host.good(Type.CHECK, struct.pack("<II", at, 28))
        assert struct.unpack("<I", crc)[0] == zlib.crc32(data + data[:8])
        if step > 1:
            for request in (read(0, 1, step), read(0, step, 1), write(0, 1, bytes(2 * step))):
                kind = Type.READ if len(request) == 8 and request[6:] != b"\0\0" else Type.WRITE
                assert await host.refused(kind, request) == (Code.BAD_ADDRESS, 0)
            assert await host.refused(Type.CHECK, struct.pack("<II", 1, step)) == (
                Code.BAD_ADDRESS,
                0,
            )

    run(script, geometry=replace(GEOMETRY, memory_bits=bits))


def test_the_longest_write_and_read() -> None:
    data = random.Random(1).randbytes(wire.MAX_DATA)

    async def script(host: Host, core: CoreState) -> None:
        await host.good(Type.WRITE, write(Space.MEMORY, WORDS - 512, data))
        assert await host.good(Type.READ, read(Space.MEMORY, WORDS - 512, 512)) == data

    run(script)


def test_a_check_longer_than_a_burst() -> None:
    async def script(host: Host, core: CoreState) -> None:
        await host.good(Type.WRITE, write(Space.MEMORY, 4095, b"\1\2\3\4"))
        crc = await host.good(Type.CHECK, struct.pack("<II", 4, 4096 + 9))
        expected = zlib.crc32(bytes(2 * 4091) + b"\1\2\3\4" + bytes(2 * 12))
        assert struct.unpack("<I", crc)[0] == expected

    run(script, geometry=replace(GEOMETRY, memory_words=8192))


def test_memory_ends_where_it_ends() -> None:
    async def script(host: Host, core: CoreState) -> None:
        bad = (Code.BAD_ADDRESS, 0)
        assert await host.refused(Type.WRITE, write(0, WORDS - 1, bytes(4))) == bad
        assert await host.refused(Type.WRITE, write(0, 0xFFFFFFFF, bytes(2))) == bad
        assert await host.refused(Type.READ, read(0, WORDS, 1)) == bad
        assert await host.refused(Type.READ, read(0, 0xFFFFFFFF, 2)) == bad
        assert await host.refused(Type.READ, read(0, 1 << 16, 1)) == bad
        for address, count in ((0, WORDS + 1), (WORDS, 1), (5, 0), (1, 0xFFFFFFFF)):
            request = struct.pack("<II", address, count)
            assert await host.refused(Type.CHECK, request) == bad
        assert len(await host.good(Type.READ, read(0, WORDS - 1, 1))) == 2
        await host.good(Type.CHECK, struct.pack("<II", 0, WORDS))

    run(script)


def test_lengths_of_writes_and_reads_have_limits() -> None:
    async def script(host: Host, core: CoreState) -> None:
        bad = (Code.BAD_LENGTH, 0)
        assert await host.refused(Type.WRITE, write(0, 0, b"\1\2\3")) == bad
        assert await host.refused(Type.WRITE, write(0, 0, bytes(wire.MAX_DATA + 2))) == bad
        assert await host.refused(Type.READ, read(0, 0, 0)) == bad
        assert await host.refused(Type.READ, read(0, 0, 513)) == bad

    run(script)


def test_rams_are_written_and_read_within_their_depths() -> None:
    async def script(host: Host, core: CoreState) -> None:
        await host.good(Type.WRITE, write(Space.RAM_S, 100, b"\1\2\3\4"))
        await host.good(Type.WRITE, write(Space.RAM_B, 31, b"\5\6"))
        assert core.rams == {0: {}, 1: {100: 0x0201, 101: 0x0403}, 2: {}, 3: {31: 0x0605}}
        assert await host.good(Type.READ, read(Space.RAM_S, 100, 2)) == b"\1\2\3\4"
        core.rams[2][3] = 0xABCD
        assert await host.good(Type.READ, read(Space.RAM_A, 2, 3)) == b"\0\0\xcd\xab\0\0"
        for space, depth in ((16, 64), (17, 128), (18, 64), (19, 32)):
            assert await host.refused(Type.READ, read(space, depth - 1, 2)) == (
                Code.BAD_ADDRESS,
                0,
            )
        assert await host.refused(Type.READ, read(16, 1 << 16, 1)) == (Code.BAD_ADDRESS, 0)
        for space in (1, 15, 20, 255):
            assert await host.refused(Type.READ, read(space, 0, 1)) == (Code.BAD_ARGUMENT, 0)
        reserved = b"\x10\1" + bytes(4) + b"\1\0"
        assert await host.refused(Type.READ, reserved) == (Code.BAD_ARGUMENT, 0)

    run(script)


def test_a_model_becomes_resident_and_is_forgotten() -> None:
    data = image()

    async def script(host: Host, core: CoreState) -> None:
        await upload(host, data)
        assert (await host.good(Type.HELLO))[6] == 1
        await host.good(Type.LOAD_COMMIT, commit(data))
        assert [task for task, *_ in core.tasks] == [Task.CLEAR]
        hello = await host.good(Type.HELLO)
        assert hello[6] == 3
        assert hello[24:56] == SHA
        assert await host.refused(Type.WRITE, write(0, 0, b"\0\0")) == (Code.BAD_ARGUMENT, 0)
        await host.good(Type.WRITE, write(Space.RAM_X, 0, b"\0\0"))
        await host.good(Type.SEEK, struct.pack("<I", 0x12345678))
        assert (await host.good(Type.HELLO))[12:16] == struct.pack("<I", 0x12345678)
        await host.good(Type.RESET)
        assert (await host.good(Type.HELLO))[12:16] == bytes(4)

        await host.good(Type.LOAD_BEGIN, bytes(32))
        hello = await host.good(Type.HELLO)
        assert (hello[6], hello[24:56]) == (1, bytes(32))
        for kind, payload in ((Type.RESET, b""), (Type.SEEK, bytes(4))):
            assert await host.refused(kind, payload) == (Code.NO_MODEL, 0)

    run(script)


def test_an_image_without_a_good_boot_record_is_refused() -> None:
    bad = {
        "zeros": bytes(64),
        "short": image()[:14],
        "version": image()[:6] + b"\2\0" + image()[8:],
        "state": image(state_halfwords=GEOMETRY.s_depth + 1),
        "alignment": image(body=12),
        "head beyond": image(head=24 + 8),
        "body beyond": image(body=1 << 24),
    }

    async def script(host: Host, core: CoreState) -> None:
        for why, data in bad.items():
            await upload(host, data)
            refusal = await host.refused(Type.LOAD_COMMIT, commit(data))
            assert refusal == (Code.BAD_IMAGE, 0), why
        assert await host.refused(Type.RESET) == (Code.NO_MODEL, 0)
        assert not core.tasks

    run(script)


def test_an_image_that_is_not_what_was_meant_is_refused() -> None:
    data = image()

    async def script(host: Host, core: CoreState) -> None:
        await upload(host, data)
        wrong = commit(data[:-1] + bytes([data[-1] ^ 1]))
        assert await host.refused(Type.LOAD_COMMIT, wrong) == (Code.BAD_IMAGE, 0)
        other = commit(data, SHA[:-1] + b"\0")
        assert await host.refused(Type.LOAD_COMMIT, other) == (Code.BAD_IMAGE, 0)
        beyond = wire.REQUESTS[Type.LOAD_COMMIT].pack(WORDS + 1, 0, SHA)
        assert await host.refused(Type.LOAD_COMMIT, beyond) == (Code.BAD_ADDRESS, 0)
        await host.good(Type.LOAD_COMMIT, commit(data))

    run(script)
