from __future__ import annotations

import random
import tracemalloc
import zlib
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.devices.board.link import (
    MAX_ENCODED,
    MAX_FRAME,
    Decoder,
    Frame,
    cobs_decode,
    cobs_encode,
    frame_of,
)
from edge_sdk.firmware_images.contract.wire import MAX_PAYLOAD, Type

FRAMES = st.builds(
    Frame, st.integers(0, 255), st.integers(0, 0xFFFF), st.binary(max_size=MAX_PAYLOAD)
)
SHORT = [
    Frame(Type.HELLO, 0),
    Frame(Type.RESET, 0xFFFF),
    Frame(Type.SET_BAUD, 0x0100, b"\0\0"),
    Frame(Type.FEED, 7, bytes([5, 0, 0, 0, 24, 0, 1, 0, 42, 0])),
]
MUTATIONS = 1_000_000
BATCH = 500


@given(st.binary(max_size=MAX_FRAME))
def test_cobs_has_no_zeros_and_is_undone(data: bytes) -> None:
    encoded = cobs_encode(data)

    assert b"\0" not in encoded
    assert len(encoded) <= len(data) + len(data) // 254 + 1
    assert cobs_decode(encoded) == data


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, 507, 508, 509, MAX_FRAME])
def test_cobs_at_the_edges_of_its_blocks(size: int) -> None:
    for data in (b"\1" * size, b"\0" * size, b"\1" * (size - 1) + b"\0" if size else b""):
        assert cobs_decode(cobs_encode(data)) == data
        assert len(cobs_encode(data)) <= size + size // 254 + 1


def test_cobs_as_it_is_published() -> None:
    """The examples of Cheshire and Baker's article, as every implementation has them."""
    assert cobs_encode(b"") == b"\x01"
    assert cobs_encode(b"\0") == b"\x01\x01"
    assert cobs_encode(b"\x11\x22\0\x33") == b"\x03\x11\x22\x02\x33"
    assert cobs_encode(b"\x11\0\0\0") == b"\x02\x11\x01\x01\x01"


@given(st.binary(max_size=300))
def test_any_bytes_are_an_encoding_or_none(data: bytes) -> None:
    decoded = cobs_decode(data.replace(b"\0", b""))

    assert decoded is None or len(decoded) <= len(data)


@given(st.lists(FRAMES, max_size=4), st.integers(1, 400))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    frames: list[Frame], step: int
) -> None:
    stream = b"\0\0" + b"".join(frame.encode() for frame in frames)
    decoder = Decoder()
    found = [
        frame
        for start in range(0, len(stream), step)
        for frame in decoder.feed(stream[start : start + step])
    ]

    assert found == frames
    assert (decoder.frames, decoder.errors) == (len(frames), 0)


def test_a_payload_beyond_the_cap_is_not_sent_and_not_taken() -> None:
    with pytest.raises(ValueError, match="at most"):
        Frame(1, 1, bytes(MAX_PAYLOAD + 1)).encode()
    size = MAX_PAYLOAD + 1
    body = bytes([1, 1, 0]) + size.to_bytes(2, "little") + bytes(size)
    encoded = cobs_encode(body + zlib.crc32(body).to_bytes(4, "little"))

    assert frame_of(encoded) is None


def test_the_longest_frame_is_taken() -> None:
    frame = Frame(255, 0xFFFF, b"\xff" * MAX_PAYLOAD)

    assert Decoder().feed(frame.encode()) == [frame]
    assert len(frame.encode()) == MAX_ENCODED + 1


def test_garbage_without_an_end_takes_no_memory_and_is_one_error() -> None:
    decoder = Decoder()
    good = Frame(1, 2, b"x")
    chunk = b"\x55" * 65536
    tracemalloc.start()
    for _ in range(200):
        assert decoder.feed(chunk) == []
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 4 * MAX_ENCODED
    assert peak < 8 * len(chunk)
    assert decoder.feed(b"\0" + good.encode()) == [good]
    assert decoder.errors == 1


def test_a_million_damaged_byte_strings_end_at_the_next_good_frame() -> None:
    """Test 1 of the link: no exception, bounded memory, and what follows is decoded."""
    rng = random.Random(4)
    decoder, good = Decoder(), Frame(Type.FEED, 3, b"\0\1\2\3\0\5")
    longest = 0
    encoded = [frame.encode() for frame in SHORT]
    for _ in range(MUTATIONS // BATCH):
        batch = [_mutated(rng, rng.choice(encoded)) for _ in range(BATCH)]
        found = decoder.feed(b"".join(batch))
        longest = max(longest, len(decoder._held))
        # Mutations may leave a frame whole, or make a stretch of another one's copy.
        assert all(frame in SHORT for frame in found)
        assert decoder.feed(b"\0" + good.encode())[-1:] == [good]

    assert longest <= MAX_ENCODED
    assert decoder.errors > MUTATIONS // 4


def _mutated(rng: random.Random, data: bytes) -> bytes:
    kind, at = rng.randrange(5), rng.randrange(len(data))
    if kind == 0:
        return rng.randbytes(rng.randrange(24))
    if kind == 1:
        return data[:at] + data[at + 1 + rng.randrange(4) :]
    if kind == 2:
        return data[:at] + rng.randbytes(1 + rng.randrange(3)) + data[at:]
    changed = bytearray(data)
    for _ in range(1 + rng.randrange(3)):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("frame", SHORT, ids=lambda frame: f"{len(frame.payload)} bytes")
@pytest.mark.parametrize("flips", [1, 2])
def test_every_error_of_one_and_two_bits_on_the_line_is_seen(frame: Frame, flips: int) -> None:
    """Exhaustive, delimiters and COBS codes included; no frame appears that nobody sent."""
    encoded = frame.encode()
    after = Frame(Type.RESET, 9)
    for bits in combinations(range(8 * len(encoded)), flips):
        damaged = bytearray(encoded)
        for bit in bits:
            damaged[bit // 8] ^= 1 << bit % 8
        found = Decoder().feed(bytes(damaged) + after.encode())
        assert found in ([after], [])


def _syndromes(size: int) -> list[int]:
    """What each single wrong bit of a message of `size` bytes changes in its CRC-32."""
    clean = zlib.crc32(bytes(size))
    found = []
    for bit in range(8 * size):
        message = bytearray(size)
        message[bit // 8] ^= 1 << bit % 8
        found.append(zlib.crc32(message) ^ clean)
    # A wrong bit in the CRC itself, which stands behind the message.
    return found + [1 << bit for bit in range(32)]


def test_every_error_of_two_bits_is_seen_in_the_longest_frame() -> None:
    """The CRC is linear: two wrong bits are unseen only if they change it alike."""
    syndromes = _syndromes(MAX_FRAME - 4)

    assert 0 not in syndromes
    assert len(set(syndromes)) == len(syndromes)


@pytest.mark.parametrize("size", [5, 6, 15, 64])
def test_every_burst_of_up_to_32_bits_is_seen(size: int) -> None:
    """Exhaustive: no sum of the changes of 32 neighbouring bits is zero, so none of the 2^32 - 1
    patterns at any place is unseen."""
    syndromes = _syndromes(size)
    for start in range(len(syndromes) - 31):
        assert _rank(syndromes[start : start + 32]) == 32


def _rank(vectors: list[int]) -> int:
    """Of 32-bit vectors over GF(2)."""
    basis: list[int] = []
    for vector in vectors:
        for known in basis:
            vector = min(vector, vector ^ known)
        if vector:
            basis.append(vector)
    return len(basis)
