"""The contract's encodings: they round-trip, and what is not in them is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.firmware_images.contract import isa, tables, wire
from edge_sdk.firmware_images.contract.geometry import Ram

u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
rams = st.sampled_from(Ram)


instructions = st.sampled_from(sorted(isa.ALLOWED_FLAGS)).flatmap(
    lambda op: st.builds(
        isa.Instruction,
        st.just(op),
        st.just(isa.ALLOWED_FLAGS[op]),
        u16,
        u16,
        u16,
        u32,
        u16,
        rams,
        rams,
        rams,
        st.integers(-512, 511),
    )
)


@given(instructions)
def test_an_instruction_survives_its_encoding(one: isa.Instruction) -> None:
    assert isa.Instruction.decode(one.encode()) == one


@given(st.binary(min_size=16, max_size=16))
def test_any_other_bytes_are_refused_with_a_value_error(data: bytes) -> None:
    try:
        one = isa.Instruction.decode(data)
    except ValueError:
        return
    assert one.encode() == data


def test_fields_out_of_range_are_refused() -> None:
    for fields in ({"shift": 512}, {"n": 65536}, {"address": 1 << 32}):
        with pytest.raises(ValueError, match="fit"):
            isa.Instruction(isa.Op.NRM, **fields).encode()  # type: ignore[arg-type]


def test_a_boot_record_survives_and_others_are_refused() -> None:
    boot = isa.Boot(4096, 4096, 8, 4096)

    assert isa.Boot.decode(boot.encode()) == boot
    with pytest.raises(ValueError, match="boot record"):
        isa.Boot.decode(bytes(16))


def test_the_sigmoid_table_is_monotone_and_symmetric() -> None:
    table = tables.sigmoid_table()

    assert len(table) == 257
    assert table == sorted(table)
    assert all(abs(a + b - 32768) <= 1 for a, b in zip(table, reversed(table), strict=True))


def test_the_schema_names_every_message_and_no_type_twice() -> None:
    assert set(wire.REQUESTS) == set(wire.REPLIES) == set(wire.Type)
    assert all(t < wire.REPLY for t in wire.Type)
    assert len(wire.schema()) == 16
