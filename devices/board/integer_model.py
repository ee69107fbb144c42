"""The golden model of the accelerator: docs/accelerator-isa.md, bit for bit, in NumPy.

It knows instructions, RAMs and a memory of bytes; it does not know models, frames or time.
Gateware and every simulation of it equal this file over whole tokens; a difference is a defect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
import numpy.typing as npt

from edge_sdk.devices.board import operands
from edge_sdk.devices.board.arithmetic import (
    Ints,
    clamp16,
    shift_round,
    shift_round_scalar,
    sigmoid_q15,
)
from edge_sdk.devices.board.memory import Memory
from edge_sdk.devices.board.refusal import Refused
from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import (
    EPSILON_MANTISSA_BITS,
    INSTRUCTION_BYTES,
    Boot,
    Flag,
    Instruction,
    Op,
)
from edge_sdk.firmware_images.contract.wire import Code

MAX_SCALE_SHIFT = 40
"""TMV's t; and an embedding row's: beyond it every product rounds to zero."""
Cost = Callable[[Instruction], int]
"""Clock cycles that an instruction takes."""


@dataclass(frozen=True)
class Scores:
    """The best rows of the last head program, best first; of equal sums the lower row."""

    rows: npt.NDArray[np.int32]
    sums: npt.NDArray[np.int32]
    mantissa: int
    shift: int
    """A score is sum * mantissa / 2**shift."""

    @property
    def logits(self) -> npt.NDArray[np.float32]:
        """float32 [k], in the model's units if the program's C is."""
        return (self.sums * float(self.mantissa) / 2.0**self.shift).astype(np.float32)


class IntegerModel:
    """An accelerator of one geometry, at power-on; `image` stands at address 0 of its memory.

    Not safe for use from several threads at once.
    """

    def __init__(self, geometry: Geometry, image: bytes = b"", cost: Cost | None = None) -> None:
        self.geometry = geometry
        self.memory = Memory(geometry)
        self.memory.write(0, image)
        self.saturations = 0
        self.cycles = 0
        """Sum of `cost` over all instructions executed; 0 without it."""
        self._cost = cost
        self._rams = {ram: np.zeros(geometry.depth(ram), np.int64) for ram in Ram}
        # The scalar registers: NRM's R and s, QNT's e and mn, PRD's kb and P.
        self._root, self._root_shift = 1 << 15, 0
        self._exponent = self._largest = 0
        self._block = self._squares = 0
        self._q: npt.NDArray[np.float32] = np.zeros(0, np.float32)
        self._q_five = False
        self._scores = Scores(np.zeros(0, np.int32), np.zeros(0, np.int32), 0, 0)

    def read_ram(self, ram: Ram, offset: int, count: int) -> npt.NDArray[np.int16]:
        """int16 [count]; raises Refused(BAD_ADDRESS) beyond the end."""
        return self._ram(ram, offset, count).astype(np.int16)

    def write_ram(self, ram: Ram, offset: int, values: npt.NDArray[np.int16]) -> None:
        """Write int16 [n]; raises Refused(BAD_ADDRESS) beyond the end."""
        self._ram(ram, offset, len(values))[:] = values

    # Programs.

    @property
    def boot(self) -> Boot:
        """The boot record; raises Refused(BAD_IMAGE) if there is none."""
        try:
            return Boot.decode(self.memory.read(0, INSTRUCTION_BYTES))
        except ValueError as error:
            raise Refused(Code.BAD_IMAGE, 0, f"the memory image was refused: {error}.") from None

    def feed(self, ids: Sequence[int], top_k: int = 0) -> Scores | None:
        """Run the body for each token id, then the head if `top_k` is not 0.

        Raises Refused: BAD_TOKEN before anything runs, BAD_OPCODE where a program goes wrong.
        """
        boot = self.boot
        for token in ids:
            if not 0 <= token < boot.vocabulary:
                raise Refused(Code.BAD_TOKEN, 0, f"token {token} is not below {boot.vocabulary}.")
        for token in ids:
            self.run(boot.body, token=token)
        if not top_k:
            return None
        self.run(boot.head, top_k=top_k)
        return self._scores

    def run(self, address: int, *, token: int = 0, top_k: int = 0) -> None:
        """Run the program at a halfword address to its HALT; raises Refused(BAD_OPCODE)."""
        for at, one in self.memory.program(address):
            if one is None:
                raise _bad_opcode(at, "no instruction")
            self.execute(one, token=token, top_k=top_k, at=at)

    def execute(self, one: Instruction, *, token: int = 0, top_k: int = 0, at: int = 0) -> None:
        """Run one instruction; raises Refused(BAD_OPCODE) with its address `at`.

        token: the row that EMB fetches. top_k: how many sums TOP keeps.
        """
        why = operands.fault(one, self.geometry, token)
        if why is None and one.op == Op.TMV and (one.n, _five(one)) != (len(self._q), self._q_five):
            why = "its activations were not made for it"
        if why is not None:
            raise _bad_opcode(at, f"{one.op.name} which cannot run: {why}")
        if self._cost is not None:
            self.cycles += self._cost(one)
        match one.op:
            case Op.EMB:
                self._embed(one, token)
            case Op.NRM:
                self._norm(one)
            case Op.QNT:
                self._quantise(one)
            case Op.TMV:
                self._matrix(one, top_k)
            case Op.ACT:
                self._activate(one)
            case Op.REC:
                self._recur(one)
            case Op.PRD:
                self._product(one)

    @property
    def scores(self) -> Scores:
        """What the last TMV with TOP kept."""
        return self._scores

    # State.

    def snapshot(self) -> npt.NDArray[np.int16]:
        """The recurrent state, int16 [state_halfwords]."""
        return self.read_ram(Ram.S, 0, self.boot.state_halfwords)

    def restore(self, state: npt.NDArray[np.int16]) -> None:
        """Continue from a snapshot."""
        self.write_ram(Ram.S, 0, state)

    def reset(self) -> None:
        """The zero state."""
        self._rams[Ram.S][:] = 0

    # Instructions, in the words and letters of docs/accelerator-isa.md.

    def _embed(self, one: Instruction, token: int) -> None:
        address = one.address + token * one.factor
        row = np.frombuffer(self.memory.read(address, 4 + one.n + one.n % 2), "<i2")
        c, t = (int(value) & 0xFFFF for value in row[:2])
        e = row[2:].view(np.int8)[: one.n].astype(np.int64)
        self._store(one.ram1, one.offset, shift_round(e * c, min(t, MAX_SCALE_SHIFT)))

    def _norm(self, one: Instruction) -> None:
        x = self._load(one.ram1, one.offset, one.n)
        t = x
        if one.flags & Flag.GAIN:
            t = shift_round(x * self.memory.vector(one.address, one.n), 15)
        own = int(t @ t)
        squares = self._squares if one.flags & Flag.KEEP else int(x @ x)
        b = 2 * self._block if one.flags & Flag.BLOCK else 0
        mantissa = one.extra & ((1 << EPSILON_MANTISSA_BITS) - 1)
        constant = mantissa << (one.extra >> EPSILON_MANTISSA_BITS)
        total = own + (squares * one.factor >> (one.shift + b)) + (constant >> b) or 1
        s = 2 * ((total.bit_length() - 31) // 2)
        self._root = isqrt(total >> s if s >= 0 else total << -s)
        self._root_shift = s

    def _quantise(self, one: Instruction) -> None:
        u = self._load(one.ram1, one.offset, one.n) * self.memory.vector(one.address, one.n)
        m = int(np.abs(u).max())
        self._q_five = _five(one)
        self._exponent = e = m.bit_length()
        self._largest = mn = shift_round_scalar(m, e - 15) if m else 0
        if m:
            factor = (127 * 2**22 + (mn >> 1)) // mn
            u = shift_round(u, e - 15) * factor + 2**21 >> 22
        self._q = u.astype(np.float32)

    def _matrix(self, one: Instruction, top_k: int) -> None:
        # Exact in any order: every partial sum is a whole number below 2^24.
        sums = (self.memory.matrix(one.address, one.extra, one.n, _five(one)) @ self._q).astype(
            np.int64
        )
        d = (self._largest * 2**16 + (self._root >> 1)) // self._root if self._largest else 0
        scale = d * one.factor + 2**15 >> 16
        t = one.shift - self._exponent + self._root_shift // 2
        t = min(max(t, 0), MAX_SCALE_SHIFT)
        if one.flags & Flag.TOP:
            rows = np.argsort(-sums, kind="stable")[:top_k]
            self._scores = Scores(rows.astype(np.int32), sums[rows].astype(np.int32), scale, t)
            return
        out = self._saturate(shift_round(sums * scale, t))
        if one.flags & Flag.ADD:
            out = out + self._load(one.ram1, one.offset, one.extra)
        self._store(one.ram1, one.offset, out)

    def _activate(self, one: Instruction) -> None:
        x = self._load(one.ram1, one.offset, one.n)
        g = sigmoid_q15(clamp16(x << one.shift))
        if one.flags & Flag.SIGMOID:
            if one.flags & Flag.GAIN:
                bound = self.memory.vector(one.address, one.n) & 0xFFFF
                g = bound + shift_round((32768 - bound) * g, 15)
            y = np.minimum(g, 32767)
        else:
            y = shift_round(x * g, 15)
        self._rams[one.ram2][one.extra : one.extra + one.n] = y

    def _recur(self, one: Instruction) -> None:
        c = self._load(one.ram1, one.offset, one.n)
        f = self._load(one.ram2, one.extra, one.n)
        h = self._load(one.ram3, one.factor, one.n)
        mixed = f * h + ((32768 - f) * c << one.shift)
        self._store(one.ram3, one.factor, shift_round(mixed, 15))

    def _product(self, one: Instruction) -> None:
        a = self._load(one.ram1, one.offset, one.n)
        p = a * self._load(one.ram2, one.extra, one.n)
        if one.flags & Flag.KEEP:
            self._squares = int(a @ a)
        self._block = max(int(np.abs(p).max()).bit_length() - 15, 0)
        # Not counted: it only takes back what rounding added.
        z = clamp16(shift_round(p, self._block))
        self._rams[one.ram3][one.factor : one.factor + one.n] = z

    # Access.

    def _load(self, ram: Ram, offset: int, count: int) -> Ints:
        return self._rams[ram][offset : offset + count]

    def _store(self, ram: Ram, offset: int, values: Ints) -> None:
        self._rams[ram][offset : offset + len(values)] = self._saturate(values)

    def _saturate(self, values: Ints) -> Ints:
        clamped = clamp16(values)
        self.saturations += int(np.count_nonzero(clamped != values))
        return clamped

    def _ram(self, ram: Ram, offset: int, count: int) -> Ints:
        if not 0 <= offset <= offset + count <= self.geometry.depth(ram):
            raise Refused(
                Code.BAD_ADDRESS,
                offset,
                f"{count} elements at {offset} of RAM {ram.name} were refused; it has "
                f"{self.geometry.depth(ram)}.",
            )
        return self._load(ram, offset, count)


def _five(one: Instruction) -> bool:
    return bool(one.flags & Flag.FIVE_TRITS)


def _bad_opcode(at: int, what: str) -> Refused:
    return Refused(Code.BAD_OPCODE, at, f"the program has at address {at} {what}.")
