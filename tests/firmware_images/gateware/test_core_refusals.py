"""What the core refuses is what the integer model refuses, and refusals change nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_sdk.firmware_images.contract.geometry import Ram
from edge_sdk.firmware_images.contract.isa import ALLOWED_FLAGS, Flag, Instruction, Op
from edge_sdk.firmware_images.contract.wire import Code
from edge_sdk.firmware_images.gateware.ports import Task
from tests.firmware_images.gateware.core_bench import Bench, chip

END = 4096
"""Halfwords of memory."""
EMB = Instruction(Op.EMB, n=8, factor=8)
NRM = Instruction(Op.NRM, Flag.GAIN, n=8)
QNT = Instruction(Op.QNT, n=8, ram1=Ram.A)
TMV = Instruction(Op.TMV, n=8, extra=4, factor=40000, ram1=Ram.B)
ACT = Instruction(Op.ACT, Flag.SIGMOID | Flag.GAIN, n=8)
REC = Instruction(Op.REC, n=8, ram1=Ram.A, ram2=Ram.B, ram3=Ram.S)
PRD = Instruction(Op.PRD, n=8, ram1=Ram.A, ram2=Ram.B, ram3=Ram.A)
LAST_GOOD = [
    replace(NRM, address=END - 8),
    replace(QNT, address=END - 8),
    replace(TMV, address=END - 4, flags=Flag.ADD),
    replace(ACT, address=END - 8, offset=24, extra=24),
    replace(REC, offset=56, extra=56, factor=56),
    replace(PRD, offset=56, extra=56, factor=56),
    replace(TMV, extra=64),
    replace(TMV, extra=65, flags=Flag.TOP, offset=9999),
    replace(NRM, shift=63, extra=48 << 10),
    replace(ACT, shift=4),
    replace(REC, shift=8),
    replace(NRM, flags=Flag.NONE, address=END),
]
BAD = [
    *(replace(one, n=0) for one in (EMB, NRM, QNT, TMV, ACT, REC, PRD)),
    replace(TMV, extra=0),
    replace(TMV, n=9),
    replace(TMV, flags=Flag.FIVE_TRITS),
    replace(TMV, extra=65),
    replace(TMV, flags=Flag.ADD, offset=61),
    replace(TMV, extra=0xFFFF),
    *(replace(one, n=33) for one in (EMB, NRM, ACT)),
    replace(QNT, n=65),
    *(replace(one, offset=25, ram1=Ram.X) for one in (EMB, NRM, QNT, ACT, REC, PRD)),
    *(replace(one, offset=0xFFFF) for one in (EMB, NRM, QNT, TMV, ACT, REC, PRD)),
    *(replace(one, extra=25, ram2=Ram.X) for one in (ACT, REC, PRD)),
    *(replace(one, factor=25, ram3=Ram.X) for one in (REC, PRD)),
    *(replace(one, address=END - 3) for one in (EMB, NRM, QNT, TMV, ACT)),
    # An address, and one plus a length, that look good if only their low half is looked at.
    *(replace(one, address=0x10000) for one in (EMB, NRM, QNT, TMV, ACT)),
    *(replace(one, address=0xFFFE) for one in (EMB, NRM, QNT, TMV, ACT)),
    *(replace(one, address=0xFFFFFFFE) for one in (EMB, NRM, QNT, TMV, ACT)),
    replace(NRM, shift=64),
    replace(NRM, shift=-1),
    replace(NRM, extra=49 << 10),
    replace(ACT, shift=5),
    replace(REC, shift=9),
    replace(REC, shift=-1),
]


def test_instructions_up_to_the_limits_run_and_beyond_them_are_refused() -> None:
    bench = Bench()

    async def testbench(ctx: Any) -> None:
        await bench.both(ctx, QNT)
        for one in LAST_GOOD:
            assert (await bench.both(ctx, one)).code == 0, one
        await bench.both(ctx, QNT)
        for ram in Ram:
            await bench.write(ctx, ram, np.arange(bench.geometry.depth(ram)) - 9)
        for one in BAD:
            assert (await bench.both(ctx, one)).code == Code.BAD_OPCODE, one
        await bench.compare(ctx)
        await bench.both(ctx, replace(QNT, n=16))
        many = replace(TMV, n=16, extra=32769, flags=Flag.TOP)  # 2^16 + 2 words
        assert (await bench.both(ctx, many)).code == Code.BAD_OPCODE
        await bench.both(ctx, QNT)
        # Nor have they touched what TMV needs.
        await bench.both(ctx, TMV)
        await bench.compare(ctx)

    bench.run(testbench)


def test_unknown_opcodes_and_flags_are_refused() -> None:
    bench = Bench()
    flags = {op: [1 << bit for bit in range(8) if not ALLOWED_FLAGS[op] & 1 << bit] for op in Op
             if op in ALLOWED_FLAGS}  # fmt: skip

    async def testbench(ctx: Any) -> None:
        await bench.both(ctx, QNT)
        for number in (0, 9, 15, 16, 0x12, 0x22, 0x45, 0x82, 0xFF):
            code = bytes([number, 0, *EMB.encode()[2:]])
            assert (await bench.task(ctx, Task.EXECUTE, instruction=code)).code == Code.BAD_OPCODE
        for one in (EMB, NRM, QNT, TMV, ACT, REC, PRD, Instruction(Op.HALT)):
            for bit in flags[one.op]:
                code = bytes([one.op, bit, *one.encode()[2:]])
                outcome = await bench.task(ctx, Task.EXECUTE, instruction=code)
                assert outcome.code == Code.BAD_OPCODE, (one, bit)

    bench.run(testbench)


@pytest.mark.parametrize("bits", [64])
def test_addresses_between_words_are_refused(bits: int) -> None:
    bench = Bench(geometry=chip(bits))

    async def testbench(ctx: Any) -> None:
        await bench.both(ctx, QNT)
        for one in (EMB, NRM, QNT, TMV, ACT):
            for address in (0, 1, 2, 4, 7):
                await bench.both(ctx, replace(one, address=address))
        # The row of a token, not the table, has to be aligned.
        for token in range(5):
            await bench.both(ctx, replace(EMB, factor=6), token=token)
        await bench.compare(ctx)

    bench.run(testbench)
