"""Every instruction that docs/accelerator-isa.md forbids is refused before it changes anything."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.devices.board.integer_model import IntegerModel
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import Boot, Flag, Instruction, Op
from edge_sdk.firmware_images.contract.wire import Code

GEOMETRY = Geometry(32, 1024, x_depth=32, s_depth=64, a_depth=32, b_depth=32, q_depth=2)
END = 2048
"""Halfwords of memory."""
EMB = Instruction(Op.EMB, n=8, factor=6)
NRM = Instruction(Op.NRM, Flag.GAIN, n=8)
QNT = Instruction(Op.QNT, n=8, ram1=Ram.A)
TMV = Instruction(Op.TMV, n=8, extra=4, factor=40000, ram1=Ram.B)
ACT = Instruction(Op.ACT, Flag.SIGMOID | Flag.GAIN, n=8)
REC = Instruction(Op.REC, n=8, ram1=Ram.A, ram2=Ram.B, ram3=Ram.S)
PRD = Instruction(Op.PRD, n=8, ram1=Ram.A, ram2=Ram.B, ram3=Ram.A)
ALL = (EMB, NRM, QNT, TMV, ACT, REC, PRD)

BAD = [
    *(replace(one, n=0) for one in ALL),
    replace(TMV, extra=0),
    *(replace(one, n=33) for one in (EMB, NRM, ACT, PRD)),
    *(replace(one, offset=25) for one in (EMB, NRM, QNT, ACT, REC, PRD)),
    replace(TMV, offset=29),
    replace(TMV, flags=Flag.ADD, offset=29),
    *(replace(one, extra=25) for one in (ACT, REC, PRD)),
    replace(REC, factor=57),
    replace(PRD, factor=25),
    *(replace(one, address=3) for one in (EMB, NRM, QNT, TMV, ACT)),
    *(replace(one, address=END - 4) for one in (EMB, NRM, QNT, ACT)),
    replace(TMV, address=END - 6),
    replace(EMB, address=END + 2),
    replace(NRM, shift=64),
    replace(NRM, shift=-1),
    replace(NRM, extra=49 << 10),
    replace(ACT, shift=5),
    replace(ACT, shift=-1),
    replace(REC, shift=9),
    Instruction(Op.BOOT, n=8),
]


def model() -> IntegerModel:
    """With something in every RAM, and activations for TMV."""
    made = IntegerModel(GEOMETRY, os.urandom(256))
    for ram in Ram:
        values = np.arange(1, GEOMETRY.depth(ram) + 1, dtype=np.int16)
        made.write_ram(ram, 0, values)
    made.execute(QNT)
    return made


def contents(made: IntegerModel) -> list[list[int]]:
    return [made.read_ram(ram, 0, GEOMETRY.depth(ram)).tolist() for ram in Ram]


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.op.name)
def test_the_good_neighbours_of_the_bad_ones_run(one: Instruction) -> None:
    model().execute(one)
    model().execute(replace(one, address=4 if one.address or one.op in (Op.NRM, Op.QNT) else 0))


@pytest.mark.parametrize("one", BAD, ids=str)
def test_a_bad_instruction_is_refused_and_changes_nothing(one: Instruction) -> None:
    made = model()
    before = contents(made)
    with pytest.raises(Refused) as refusal:
        made.execute(one, at=24)

    assert (refusal.value.code, refusal.value.detail) == (Code.BAD_OPCODE, 24)
    assert str(refusal.value).endswith(".")
    assert contents(made) == before
    assert made.saturations == 0


@pytest.mark.parametrize(("five", "most"), [(False, 32), (True, 40)])
def test_a_row_longer_than_the_activation_memory_is_refused(five: bool, most: int) -> None:
    code = Flag.FIVE_TRITS if five else Flag.NONE
    made = model()
    made.execute(Instruction(Op.QNT, code, n=most, ram1=Ram.S))
    with pytest.raises(Refused, match="activation memory"):
        made.execute(Instruction(Op.QNT, code, n=most + 1, ram1=Ram.S))
    with pytest.raises(Refused, match="activation memory"):
        made.execute(Instruction(Op.TMV, code, n=most + 1, extra=1, factor=40000))


@pytest.mark.parametrize("other", [replace(TMV, n=7), replace(TMV, flags=Flag.FIVE_TRITS)])
def test_activations_made_for_another_matrix_are_refused(other: Instruction) -> None:
    with pytest.raises(Refused, match="not made for it"):
        model().execute(other)


def test_a_matrix_at_power_on_is_refused() -> None:
    with pytest.raises(Refused, match="not made for it"):
        IntegerModel(GEOMETRY).execute(TMV)


def boot(*program: bytes) -> bytes:
    """An image whose body is `program`; its head is the same."""
    return Boot(256, 64, 8, 8).encode() + b"".join(program)


ZERO = Instruction(Op.PRD, n=8, ram1=Ram.X, ram2=Ram.X, ram3=Ram.S).encode()
HALT = Instruction(Op.HALT).encode()


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ((bytes(16),), 8),
        ((ZERO, b"\x09" + bytes(15)), 16),
        ((ZERO, b"\x02\x80" + bytes(14)), 16),
        ((ZERO, replace(NRM, n=0).encode(), HALT), 16),
        # Zeros after the end of the image.
        ((ZERO,), 16),
    ],
)
def test_a_bad_program_stops_at_its_fault(body: tuple[bytes, ...], fault: int) -> None:
    made = IntegerModel(GEOMETRY, boot(*body))
    made.write_ram(Ram.X, 0, np.full(8, 3, np.int16))
    with pytest.raises(Refused) as refusal:
        made.feed([1])

    assert (refusal.value.code, refusal.value.detail) == (Code.BAD_OPCODE, fault)
    ran = 9 if fault == 16 else 0
    assert made.read_ram(Ram.S, 0, 8).tolist() == [ran] * 8, "what stood before it did not run"


def test_a_program_without_an_end_stops_at_the_end_of_memory() -> None:
    halves = END // 8 - 1
    made = IntegerModel(GEOMETRY, boot(*[ZERO] * halves))
    with pytest.raises(Refused) as refusal:
        made.feed([1])

    assert (refusal.value.code, refusal.value.detail) == (Code.BAD_OPCODE, END)


@pytest.mark.parametrize("body", [4, 12, END, END + 8])
def test_a_program_that_starts_at_no_place_for_one_is_refused(body: int) -> None:
    made = IntegerModel(GEOMETRY, Boot(256, 64, body, 8).encode() + HALT)
    with pytest.raises(Refused) as refusal:
        made.feed([1])

    assert refusal.value.code == Code.BAD_OPCODE


@pytest.mark.parametrize("image", [b"", b"\x45" + bytes(15), HALT])
def test_an_image_without_a_boot_record_is_refused(image: bytes) -> None:
    """Nothing, a record of version 0, and something else."""
    with pytest.raises(Refused, match="boot record") as refusal:
        IntegerModel(GEOMETRY, image).feed([1])

    assert refusal.value.code == Code.BAD_IMAGE


@given(st.binary(max_size=400))
def test_no_image_breaks_the_model(data: bytes) -> None:
    data += bytes(len(data) % 2)
    for image in (data, boot(data)):
        made = IntegerModel(GEOMETRY, image)
        try:
            made.feed([1, 2], 5)
        except Refused as refusal:
            assert refusal.code in (Code.BAD_IMAGE, Code.BAD_OPCODE, Code.BAD_TOKEN)


@given(st.binary(min_size=16, max_size=16), st.integers(0, 65535), st.integers(0, 64))
def test_no_instruction_breaks_the_model(data: bytes, token: int, top_k: int) -> None:
    made = model()
    try:
        made.execute(Instruction.decode(data), token=token, top_k=top_k)
    except (Refused, ValueError):
        return


def test_memory_and_rams_end_where_they_end() -> None:
    made = IntegerModel(GEOMETRY)
    made.memory.write(END - 2, bytes(4))
    for bad in (lambda: made.memory.write(END - 1, bytes(4)), lambda: made.memory.read(-1, 2)):
        with pytest.raises(Refused) as refusal:
            bad()
        assert refusal.value.code == Code.BAD_ADDRESS
    with pytest.raises(Refused):
        made.memory.write(0, bytes(3))
    with pytest.raises(Refused):
        made.read_ram(Ram.X, 30, 3)
    with pytest.raises(Refused):
        made.write_ram(Ram.X, 32, np.zeros(1, np.int16))
    with pytest.raises(Refused):
        IntegerModel(GEOMETRY, bytes(2 * END + 2))
