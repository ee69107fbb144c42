from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.devices.board.kinds import KINDS
from edge_sdk.devices.board.protocol import (
    pack_feed,
    read_counters,
    read_fed,
    read_hello,
    read_refusal,
)
from edge_sdk.errors import LinkError
from edge_sdk.firmware_images.contract import wire
from edge_sdk.firmware_images.contract.manifest import MAX_MANIFEST, pack_manifest
from edge_sdk.firmware_images.contract.wire import REPLIES, Code, Counter, Type

KIND = KINDS["ulx3s-85f"]
MANIFEST: dict[str, Any] = msgpack.unpackb(
    pack_manifest("ulx3s-85f", "0123456789abcdef", 75_000_000, KIND.geometry, ["x"])
)


def hello(manifest: object = None, *, magic: bytes = b"EDGB", protocol: int = 1) -> bytes:
    head = REPLIES[Type.HELLO].pack(magic, protocol, 3, 16 << 20, 7, bytes(range(8)), b"m" * 32)
    packed: bytes = msgpack.packb(MANIFEST if manifest is None else manifest)
    return head + packed


def test_hello_is_read() -> None:
    found = read_hello(hello())

    assert (found.board, found.clock_hz, found.build) == (
        "ulx3s-85f",
        75_000_000,
        "0001020304050607",
    )
    assert (found.memory, found.position, found.model) == (32 << 20, 7, b"m" * 32)
    assert found.memory_good
    assert found.geometry == KIND.geometry
    assert found.features == ("x",)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "0 bytes"),
        (hello()[:40], "40 bytes"),
        (hello(magic=b"EDGA"), "magic"),
        (hello(protocol=2), "protocol 2"),
        (hello(MANIFEST | {"schema": "0" * 16}), "schema"),
        (hello([]), "no map"),
        (hello({}), "'board'"),
        (hello(MANIFEST | {"board": "a\x1b[2J"}), "'board'"),
        (hello(MANIFEST | {"clock_hz": 0}), "'clock_hz'"),
        (hello(MANIFEST | {"isa": True}), "'isa'"),
        (hello(MANIFEST | {"memory_bits": 7}), "7 bits"),
        (hello(MANIFEST | {"geometry": [1, 2, 3, 4]}), "five depths"),
        (hello(MANIFEST | {"features": [1]}), "'features'"),
        (hello(MANIFEST | {"x": "y" * MAX_MANIFEST}), "manifest of"),
        (hello() + b"\xc0", "no msgpack map"),
        (hello()[:56] + b"\x91" * 200, "no msgpack map"),
        (hello()[:56] + b"\xdf\xff\xff\xff\xff", "no msgpack map"),
        (hello()[:56] + b"\xdb\xff\xff\xff\xff", "no msgpack map"),
        (hello()[:56] + b"\xc1", "no msgpack map"),
    ],
)
def test_a_hello_that_is_off_is_a_sentence(payload: bytes, says: str) -> None:
    with pytest.raises(LinkError, match=says) as caught:
        read_hello(payload)
    assert caught.value.hint
    assert str(caught.value).isprintable()


@given(st.binary(max_size=MAX_MANIFEST + 4))
def test_any_manifest_is_read_or_refused(data: bytes) -> None:
    with suppress(LinkError):
        read_hello(hello()[:56] + data)


@given(st.binary(max_size=80), st.sampled_from([read_fed, read_counters, read_refusal, read_hello]))
def test_any_reply_is_read_or_refused(data: bytes, read: Any) -> None:
    with suppress(LinkError):
        read(data)


def test_a_manifest_that_a_board_could_not_send_is_not_packed() -> None:
    with pytest.raises(ValueError, match="256"):
        pack_manifest("b", "0" * 16, 1, KIND.geometry, ["x" * 60] * 4)


def test_feed_is_laid_out_as_the_contract_says() -> None:
    assert pack_feed(0x01020304, 24, [1, 0x0203]) == bytes([4, 3, 2, 1, 24, 0, 2, 0, 1, 0, 3, 2])
    entries = wire.TOP_ENTRY.pack(7, -5) + wire.TOP_ENTRY.pack(9, 3)
    fed = read_fed(REPLIES[Type.FEED].pack(3, 1000, 70_000, -2, 2) + entries)
    assert (fed.position, fed.cycles, fed.mantissa, fed.shift) == (3, 1000, 70_000, -2)
    assert fed.entries == ((7, -5), (9, 3))
    with pytest.raises(LinkError, match="for 3 candidates"):
        read_fed(REPLIES[Type.FEED].pack(3, 1000, 1, 0, 3) + entries)


def test_refusals_say_what_and_why() -> None:
    refusal = read_refusal(wire.REFUSAL.pack(Type.FEED, Code.BAD_POSITION, 12))

    assert (refusal.code, refusal.detail) == (Code.BAD_POSITION, 12)
    assert "FEED with BAD_POSITION (detail 12)" in str(refusal)
    with pytest.raises(LinkError, match="does not know"):
        read_refusal(wire.REFUSAL.pack(1, 200, 0))


def test_counters_have_names() -> None:
    found = read_counters(REPLIES[Type.COUNTERS].pack(*range(10)))

    assert found[Counter.CYCLES] == 0
    assert found[Counter.FRAME_ERRORS] == 9
