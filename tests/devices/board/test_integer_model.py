"""The integer model equals the page, number by number, and keeps what a board keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.devices.board.integer_model import IntegerModel
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.devices.board.ternary_rows import encode_rows
from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import Flag, Instruction, Op
from edge_sdk.firmware_images.contract.wire import Code
from tests.devices.board.scalar import Scalar
from tests.devices.board.small import ODD, small

DEPTH = 64
flags = st.sampled_from


def geometry(bits: int) -> Geometry:
    return Geometry(bits, 32768 // bits, DEPTH, DEPTH, DEPTH, DEPTH, q_depth=8)


class Both:
    """The integer model and the scalar one, with the same random memory and RAMs."""

    def __init__(self, seed: int, bits: int, size: int) -> None:
        rng = np.random.default_rng(seed)
        self.geometry = geometry(bits)
        self.memory = rng.bytes(4096)
        self.model = IntegerModel(self.geometry, self.memory)
        self.scalar = Scalar(self.geometry, self.memory)
        for ram in Ram:
            # `size` bits of value: small numbers take other paths than large ones.
            values = rng.integers(-(1 << size), 1 << size, DEPTH).clip(-32768, 32767)
            self.model.write_ram(ram, 0, values.astype(np.int16))
            self.scalar.rams[ram] = values.tolist()

    def run(self, *program: Instruction, token: int = 0, top_k: int = 0) -> None:
        for one in program:
            self.model.execute(one, token=token, top_k=top_k)
            self.scalar.execute(one, token, top_k)
        for ram in Ram:
            assert self.model.read_ram(ram, 0, DEPTH).tolist() == self.scalar.rams[ram]
        assert self.model.saturations == self.scalar.saturations


both = st.builds(Both, st.integers(0, 2**32), st.sampled_from([16, 32, 64]), st.integers(0, 15))
lengths = st.integers(1, 32)
rams = st.sampled_from(Ram)
places = st.integers(0, 32)
addresses = st.integers(0, 200).map(lambda n: 4 * n)
extras = st.integers(0, 48).flatmap(lambda es: st.integers(0, 1023).map(lambda em: es << 10 | em))
factors = st.integers(0, 65535)


@given(both, lengths, rams, places, addresses, st.integers(0, 9), st.integers(0, 40))
def test_embedding_rows(
    two: Both, n: int, ram: Ram, offset: int, address: int, token: int, shift: int
) -> None:
    row = address + token * 20
    data = bytearray(two.memory)
    data[2 * row + 2 : 2 * row + 4] = shift.to_bytes(2, "little")
    two.scalar.memory = bytes(data)
    two.model.memory.write(0, bytes(data))
    two.run(
        Instruction(Op.EMB, n=n, offset=offset, address=address, factor=20, ram1=ram), token=token
    )


norms = st.builds(
    Instruction,
    st.just(Op.NRM),
    flags([Flag.NONE, Flag.GAIN, Flag.BLOCK, Flag.KEEP, Flag.GAIN | Flag.BLOCK | Flag.KEEP]),
    n=lengths,
    extra=extras,
    offset=places,
    address=addresses,
    factor=factors,
    ram1=rams,
    shift=st.integers(0, 63),
)
products = st.builds(
    Instruction,
    st.just(Op.PRD),
    flags([Flag.NONE, Flag.KEEP]),
    n=lengths,
    extra=places,
    offset=places,
    factor=places,
    ram1=rams,
    ram2=rams,
    ram3=st.just(Ram.S),
)
matrices = st.builds(
    Instruction,
    st.just(Op.TMV),
    flags([Flag.NONE, Flag.ADD, Flag.TOP]),
    extra=st.integers(1, 20),
    offset=places,
    address=addresses,
    factor=st.integers(2**15, 2**16 - 1),
    ram1=rams,
    shift=st.integers(-60, 80),
)


@given(both, products, norms, matrices, st.booleans(), lengths, st.integers(1, 64))
def test_what_a_matrix_needs_before_it(
    two: Both,
    product: Instruction,
    norm: Instruction,
    matrix: Instruction,
    five: bool,
    n: int,
    top_k: int,
) -> None:
    """PRD, NRM, QNT and TMV: each leaves scalars for the next one."""
    code = Flag.FIVE_TRITS if five else Flag.NONE
    quantise = Instruction(Op.QNT, code, n=n, offset=3, address=norm.address, ram1=product.ram3)
    matrix = replace(matrix, flags=matrix.flags | code, n=n)
    two.run(product, norm, quantise, matrix, top_k=top_k)
    if matrix.flags & Flag.TOP:
        scores = two.model.scores
        pairs = list(zip(scores.rows.tolist(), scores.sums.tolist(), strict=True))
        assert pairs == two.scalar.top
        assert (scores.mantissa, scores.shift) == two.scalar.scale


@given(
    both,
    flags([Flag.NONE, Flag.SIGMOID, Flag.SIGMOID | Flag.GAIN]),
    lengths,
    addresses,
    rams,
    rams,
    st.integers(0, 4),
)
def test_activations(
    two: Both, how: Flag, n: int, address: int, source: Ram, target: Ram, shift: int
) -> None:
    data = np.frombuffer(two.memory, "<u2") // 2  # a bound is at most 1
    two.scalar.memory = data.tobytes()
    two.model.memory.write(0, data.tobytes())
    address = address if how & Flag.GAIN else 0
    one = Instruction(Op.ACT, how, n=n, address=address, ram1=source, ram2=target, shift=shift)
    two.run(one)


@given(both, lengths, places, places, places, st.integers(0, 8))
def test_the_recurrence(two: Both, n: int, c: int, f: int, h: int, shift: int) -> None:
    two.run(
        Instruction(
            Op.REC,
            n=n,
            offset=c,
            extra=f,
            factor=h,
            ram1=Ram.A,
            ram2=Ram.B,
            ram3=Ram.S,
            shift=shift,
        )
    )


@given(both, products)
def test_products_in_place(two: Both, one: Instruction) -> None:
    two.run(replace(one, ram3=one.ram2, factor=one.extra))


@pytest.mark.parametrize("seed", range(20))
def test_every_activation(seed: int) -> None:
    """Seen through a matrix that picks one activation a row."""
    two = Both(seed, 16, 15)
    rows = encode_rows(np.eye(32, dtype=np.int8), two.geometry, five_trits=False)
    gains = np.random.default_rng(seed).integers(-32768, 32768, 32).astype("<i2")
    two.scalar.memory = rows.tobytes() + gains.tobytes()
    two.model.memory.write(0, two.scalar.memory)
    two.run(
        Instruction(Op.QNT, n=32, address=rows.size // 2, ram1=Ram.A),
        Instruction(Op.TMV, Flag.TOP, n=32, extra=32, factor=40000),
        top_k=32,
    )
    scores = two.model.scores

    assert sorted(zip(scores.rows.tolist(), scores.sums.tolist(), strict=True)) == sorted(
        enumerate(two.scalar.q)
    )


def test_whole_tokens_of_a_model_of_odd_sizes(tmp_path: Path) -> None:
    made = small(tmp_path, ODD)
    with made.model:
        model = IntegerModel(made.geometry, made.image.data)
    scalar = Scalar(made.geometry, made.image.data)
    boot = model.boot
    for token in (5, 130):
        for _, one in model.memory.program(boot.body):
            assert one is not None
            scalar.execute(one, token)
        model.feed([token])
        for ram in (Ram.X, Ram.S):
            count = made.geometry.depth(ram)
            assert model.read_ram(ram, 0, count).tolist() == scalar.rams[ram]
    for _, one in model.memory.program(boot.head):
        assert one is not None
        scalar.execute(one, top_k=64)
    model.run(boot.head, top_k=64)
    assert model.scores.rows.tolist() == [row for row, _ in scalar.top]
    assert model.scores.sums.tolist() == [total for _, total in scalar.top]
    assert np.any(model.snapshot())


def test_ties_go_to_the_lowest_row(tmp_path: Path) -> None:
    two = Both(1, 16, 0)
    for ram in Ram:
        two.model.write_ram(ram, 0, np.zeros(DEPTH, np.int16))
    two.model.execute(Instruction(Op.QNT, n=8, ram1=Ram.A))
    two.model.execute(Instruction(Op.TMV, Flag.TOP, n=8, extra=20, factor=40000), top_k=3)

    assert two.model.scores.rows.tolist() == [0, 1, 2]


def test_a_snapshot_continues_exactly(tmp_path: Path) -> None:
    made = small(tmp_path)
    with made.model:
        model = IntegerModel(made.geometry, made.image.data)
    model.feed([1, 2, 3])
    state = model.snapshot()
    first = model.feed([4, 5], 10)
    model.reset()
    assert not model.snapshot().any()
    model.restore(state)
    second = model.feed([4, 5], 10)

    assert first is not None
    assert second is not None
    assert first.sums.tolist() == second.sums.tolist()
    assert first.rows.tolist() == second.rows.tolist()


def test_writing_memory_forgets_what_was_decoded_from_it() -> None:
    model = IntegerModel(geometry(16), np.full(8, 3, "<i2").tobytes())
    model.write_ram(Ram.A, 0, np.arange(8, dtype=np.int16))
    quantise = Instruction(Op.QNT, n=8, ram1=Ram.A)
    norm = Instruction(Op.NRM, Flag.GAIN, n=8, ram1=Ram.A)
    model.execute(norm)
    model.execute(quantise)
    model.memory.write(0, bytes(16))
    model.execute(quantise)
    model.execute(Instruction(Op.TMV, n=8, extra=1, factor=40000, ram1=Ram.B))

    assert model.read_ram(Ram.B, 0, 1)[0] == 0
    assert model.saturations == 0


@pytest.mark.parametrize("token", [-1, 128, 65535])
def test_a_token_beyond_the_vocabulary_is_refused_before_anything_runs(
    tmp_path: Path, token: int
) -> None:
    made = small(tmp_path)
    with made.model:
        model = IntegerModel(made.geometry, made.image.data)
    with pytest.raises(Refused) as refusal:
        model.feed([1, token])

    assert refusal.value.code == Code.BAD_TOKEN
    assert not model.snapshot().any()
