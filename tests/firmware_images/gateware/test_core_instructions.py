"""Single instructions in the core and in the integer model: all RAMs, all scores, every bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import ALLOWED_FLAGS, Flag, Instruction, Op
from tests.firmware_images.gateware.core_bench import Bench, chip

LONGEST = 28
"""Elements of a random instruction."""
OPS = [op for op in ALLOWED_FLAGS if op != Op.HALT]


class Values:
    """Random halfwords of all sorts; extremes are common."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def vector(self, count: int) -> np.ndarray:
        match self.rng.integers(0, 8):
            case 0:
                return np.full(count, -32768, np.int16)
            case 1:
                return np.zeros(count, np.int16)
            case 2:
                return self.rng.choice([-32768, 32767, 0, 1, -1], count).astype(np.int16)
            case 3:
                return self.rng.integers(-2, 3, count).astype(np.int16)
            case _:
                size = 1 << self.rng.integers(1, 16)
                return self.rng.integers(-size, size, count).clip(-32768, 32767).astype(np.int16)

    def image(self, halfwords: int) -> bytes:
        parts = [self.vector(int(self.rng.integers(1, 200))) for _ in range(halfwords)]
        return np.concatenate(parts)[:halfwords].astype("<i2").tobytes()

    def instruction(self, op: Op, geometry: Geometry, columns: tuple[int, Flag]) -> Instruction:
        """One that can run; `columns` are those of the last QNT."""
        pick = self.rng.integers
        n = int(pick(1, LONGEST + 1))
        flags = Flag.NONE
        for flag in ALLOWED_FLAGS[op]:
            if pick(0, 2):
                flags |= flag
        rams = [Ram(int(pick(0, 4))) for _ in range(3)]
        offsets = [int(pick(0, geometry.depth(ram) - LONGEST + 1)) for ram in rams]
        if rams[1] == rams[0] and pick(0, 2):
            offsets[1] = offsets[0]
        unit = geometry.halfwords_per_word
        one: dict[str, Any] = {
            "n": n,
            "extra": offsets[1],
            "offset": offsets[0],
            "address": int(pick(0, 400)) * unit,
            "factor": offsets[2],
            "shift": 0,
        }
        match op:
            case Op.EMB:
                one |= {"factor": int(pick(0, 20)) * unit}
            case Op.NRM:
                # The sum stays below 2^56, as the compiler sees to.
                one |= {
                    "extra": int(pick(0, 1024)) | int(pick(0, 46)) << 10,
                    "factor": int(pick(0, 65536)),
                    "shift": int(pick(0, 64)),
                }
            case Op.TMV:
                one |= {
                    "n": columns[0],
                    "extra": n,
                    "factor": int(pick(1 << 15, 1 << 16)),
                    "shift": int(pick(-10, 50)),
                }
                flags = (flags & ~Flag.FIVE_TRITS) | columns[1]
            case Op.ACT:
                one |= {"shift": int(pick(0, 5))}
            case Op.REC:
                one |= {"shift": int(pick(0, 9))}
        return Instruction(op, flags, **one, ram1=rams[0], ram2=rams[1], ram3=rams[2])


def overlaps(one: Instruction) -> bool:
    """Whether the result begins inside a source, behind its first element: not defined."""
    first, second = (one.ram1, one.offset), (one.ram2, one.extra)
    third = (one.ram3, one.factor)
    match one.op:
        case Op.ACT:
            sources, target = [first], second
        case Op.REC | Op.PRD:
            sources, target = [first, second], third
        case _:
            return False
    return any(ram == target[0] and offset < target[1] < offset + one.n for ram, offset in sources)


@pytest.mark.parametrize(("bits", "seed"), [(16, 1), (64, 3)])
def test_random_instructions_equal_the_model(bits: int, seed: int) -> None:
    values = Values(seed)
    geometry = chip(bits)
    bench = Bench(values.image(4096), geometry)
    columns = (int(values.rng.integers(1, LONGEST)), Flag.FIVE_TRITS)

    async def testbench(ctx: Any) -> None:
        nonlocal columns
        first = Instruction(Op.QNT, columns[1], n=columns[0], ram1=Ram.A)
        await bench.both(ctx, first)
        for index in range(21):
            if index % 4 == 0:
                ram = Ram(int(values.rng.integers(0, 4)))
                await bench.write(ctx, ram, values.vector(geometry.depth(ram)))
            one = values.instruction(OPS[index % len(OPS)], geometry, columns)
            if overlaps(one):
                continue
            token, top_k = int(values.rng.integers(0, 20)), int(values.rng.choice([0, 1, 5, 64]))
            outcome = await bench.both(ctx, one, token, top_k)
            assert outcome.code == 0
            if one.op == Op.QNT:
                columns = (one.n, one.flags & Flag.FIVE_TRITS)
            elif one.op == Op.TMV and one.flags & Flag.TOP:
                await bench.compare_top(ctx)
            if index % 4 == 0:
                await bench.compare(ctx, one)

    bench.run(testbench)


FULL = Instruction(Op.TMV, Flag.FIVE_TRITS, n=32, extra=32, ram1=Ram.B, factor=40000, shift=30)
QUANTISE = Instruction(Op.QNT, Flag.FIVE_TRITS, n=32, ram1=Ram.X)
CASES = {
    "all least": (-32768, -32768, [
        Instruction(Op.NRM, Flag.GAIN, n=32, factor=65535, shift=20, extra=1023 | 40 << 10),
        QUANTISE,
        FULL,
        Instruction(Op.TMV, Flag.FIVE_TRITS | Flag.ADD, n=32, extra=32, factor=65535, shift=20),
        Instruction(Op.REC, n=32, ram1=Ram.A, ram2=Ram.B, ram3=Ram.S, shift=8),
        Instruction(Op.PRD, Flag.KEEP, n=32, ram1=Ram.X, ram2=Ram.A, ram3=Ram.A),
        Instruction(Op.NRM, Flag.KEEP | Flag.BLOCK, n=32, factor=65535, shift=0, extra=48 << 10),
        Instruction(Op.ACT, Flag.SIGMOID | Flag.GAIN, n=32, ram2=Ram.B, shift=4),
    ]),
    "all zero": (0, 0, [
        Instruction(Op.NRM, n=32), QUANTISE, FULL,
        Instruction(Op.PRD, n=32, ram1=Ram.X, ram2=Ram.A, ram3=Ram.A),
    ]),
    "root and mantissa at their least": (1, -1, [
        # N = 1, so R = 2^15; m = 1, so mn = 2^14. With 16384 elements of 2: mn = R.
        Instruction(Op.NRM, n=1), QUANTISE, FULL,
    ]),
    "as good as one": (32767, 32767, [
        Instruction(Op.ACT, Flag.SIGMOID | Flag.GAIN, n=32, ram2=Ram.B),
        Instruction(Op.ACT, Flag.SIGMOID, n=32, ram2=Ram.B, offset=0),
        QUANTISE, FULL,
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_extremes_equal_the_model(name: str) -> None:
    fill, memory, program = CASES[name]
    bench = Bench(np.full(4096, memory, "<i2").tobytes())

    async def testbench(ctx: Any) -> None:
        for ram in (Ram.X, Ram.A, Ram.S):
            await bench.write(ctx, ram, np.full(bench.geometry.depth(ram), fill))
        for one in program:
            assert (await bench.both(ctx, one)).code == 0
        await bench.compare(ctx)

    bench.run(testbench)


def test_a_block_that_rounds_to_one_more_is_not_counted_as_saturated() -> None:
    """255 * 257 is 65535, half of it 32767.5."""
    bench = Bench()

    async def testbench(ctx: Any) -> None:
        await bench.write(ctx, Ram.X, np.full(32, 255))
        await bench.write(ctx, Ram.A, np.full(64, 257))
        one = Instruction(Op.PRD, n=32, ram1=Ram.X, ram2=Ram.A, ram3=Ram.B)
        assert (await bench.both(ctx, one)).code == 0
        await bench.compare(ctx)

    bench.run(testbench)


ROOTS = [
    # (x, e): N = x * x + e. Newton's steps stop early, one above the root, or at it; near a square
    # from below and from above; the largest N'; a left and a right shift.
    (1, 1), (5, 10), (6310, 1023), (15, 30), (8183, 1023), (32, 1), (128, 1), (4203, 1023),
    (255, 510), (511, 1022), (3, 6), (32767, 1023), (-32768, 0), (23170, 1), (0, 0), (181, 0),
]  # fmt: skip


def test_roots_are_exact() -> None:
    """M shows one part in 32768 of R."""
    bench = Bench(b"\xff\x7f" * 2048)
    score = Instruction(Op.TMV, Flag.TOP, n=1, extra=1, factor=65535, shift=30)

    async def testbench(ctx: Any) -> None:
        await bench.write(ctx, Ram.A, np.full(64, 32767))
        for index, (x, e) in enumerate(ROOTS):
            await bench.write(ctx, Ram.X, np.full(32, x))
            await bench.both(ctx, Instruction(Op.NRM, n=1, extra=e))
            if index % 2 == 0:  # else the activations before meet a new root
                await bench.both(ctx, Instruction(Op.QNT, n=1, ram1=Ram.A))
            await bench.both(ctx, score)
            await bench.compare_top(ctx)

    bench.run(testbench)


@pytest.mark.parametrize(
    ("gain", "largest", "factor"),
    [
        (1, 1, 40001),  # D = 2^15, so that D * C is a half more than a whole number of 2^16
        (3, 10923, 65535),  # m = 32769, and mn is half of it
        (32767, 32767, 65535),
        (-32768, -32768, 65535),  # m = 2^30
        (1, -32768, 65535),
    ],
)
def test_halves_round_up(gain: int, largest: int, factor: int) -> None:
    bench = Bench(np.full(4096, gain, "<i2").tobytes())
    score = Instruction(Op.TMV, Flag.TOP, n=1, extra=1, factor=factor, shift=30)

    async def testbench(ctx: Any) -> None:
        await bench.write(ctx, Ram.A, np.full(64, largest))
        for one in (Instruction(Op.NRM, n=1), Instruction(Op.QNT, n=1, ram1=Ram.A), score):
            await bench.both(ctx, one)
        await bench.compare_top(ctx)

    bench.run(testbench)


def test_of_equal_sums_the_lower_row_is_kept() -> None:
    """Rows of equal weights, so all sums are equal; then some that are larger."""
    words = [0x0000, 0x5555, 0xAAAA, 0x0000, 0xAAAA, 0x5555] * 12
    bench = Bench(np.array(words, "<u2").tobytes() + bytes(64) + b"\1\0" * 200)

    async def testbench(ctx: Any) -> None:
        await bench.write(ctx, Ram.X, np.ones(32))
        await bench.both(ctx, Instruction(Op.QNT, n=8, ram1=Ram.X, address=120))
        one = Instruction(Op.TMV, Flag.TOP, n=8, extra=len(words), factor=40000, shift=20)
        for top_k in (0, 1, 2, 13, 63, 64):
            await bench.both(ctx, one, top_k=top_k)
            await bench.compare_top(ctx)

    bench.run(testbench)


def test_operands_in_one_ram_take_a_cycle_each() -> None:
    bench = Bench()
    cycles = {}

    async def testbench(ctx: Any) -> None:
        for name, rams in {
            "three": (Ram.A, Ram.B, Ram.S),
            "two": (Ram.A, Ram.S, Ram.S),
            "one": (Ram.A, Ram.A, Ram.A),
        }.items():
            one = Instruction(
                Op.REC, n=20, extra=20, factor=40, ram1=rams[0], ram2=rams[1], ram3=rams[2]
            )
            cycles[name] = (await bench.both(ctx, one)).cycles

    bench.run(testbench)
    assert cycles["two"] == cycles["one"] == cycles["three"] + 2 * 20
