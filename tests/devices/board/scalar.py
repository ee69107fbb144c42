"""docs/accelerator-isa.md again, one number at a time in plain Python: the oracle of the oracle.

Written from the page, not from integer_model.py, and slow on purpose. It does not refuse anything.
"""

from __future__ import annotations

from math import isqrt

from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import Flag, Instruction, Op
from edge_sdk.firmware_images.contract.tables import sigmoid_table

T = sigmoid_table()


def rounded(v: int, s: int) -> int:
    if s > 0:
        return (v + (1 << (s - 1))) >> s
    return v << -s


class Scalar:
    def __init__(self, geometry: Geometry, memory: bytes) -> None:
        self.geometry = geometry
        self.memory = memory
        self.rams = {ram: [0] * geometry.depth(ram) for ram in Ram}
        self.saturations = 0
        self.R, self.s = 2**15, 0
        self.m = self.e = self.mn = 0
        self.kb = self.P = 0
        self.q: list[int] = []
        self.top: list[tuple[int, int]] = []
        self.scale = (0, 0)

    def sat16(self, v: int) -> int:
        if v > 32767:
            self.saturations += 1
            return 32767
        if v < -32768:
            self.saturations += 1
            return -32768
        return v

    def half(self, address: int) -> int:
        return int.from_bytes(self.memory[2 * address : 2 * address + 2], "little", signed=True)

    def execute(self, one: Instruction, token: int = 0, top_k: int = 0) -> None:
        name = one.op.name.lower()
        if one.op == Op.EMB:
            self.emb(one, token)
        elif one.op == Op.TMV:
            self.tmv(one, top_k)
        else:
            getattr(self, name)(one)

    def halt(self, one: Instruction) -> None:
        pass

    def emb(self, one: Instruction, token: int) -> None:
        row = one.address + token * one.factor
        c, t = self.half(row) & 0xFFFF, self.half(row + 1)
        for k in range(one.n):
            byte = self.memory[2 * row + 4 + k]
            e = byte - 256 if byte > 127 else byte
            self.rams[one.ram1][one.offset + k] = self.sat16(rounded(e * c, t))

    def nrm(self, one: Instruction) -> None:
        x = self.rams[one.ram1][one.offset : one.offset + one.n]
        own = sx = 0
        for k, value in enumerate(x):
            t = value
            if one.flags & Flag.GAIN:
                t = rounded(value * self.half(one.address + k), 15)
            own += t * t
            sx += value * value
        if one.flags & Flag.KEEP:
            sx = self.P
        b = 2 * self.kb if one.flags & Flag.BLOCK else 0
        em, es = one.extra % 1024, one.extra // 1024
        n = own + ((sx * one.factor) >> (one.shift + b)) + ((em << es) >> b)
        if n == 0:
            n = 1
        bits = len(bin(n)) - 2
        self.s = (bits - 31) // 2 * 2
        normal = n >> self.s if self.s >= 0 else n << -self.s
        assert 2**30 <= normal < 2**32
        self.R = isqrt(normal)

    def qnt(self, one: Instruction) -> None:
        x = self.rams[one.ram1][one.offset : one.offset + one.n]
        u = [value * self.half(one.address + k) for k, value in enumerate(x)]
        self.m = max(abs(value) for value in u)
        if self.m == 0:
            self.q, self.mn, self.e = [0] * one.n, 0, 0
            return
        self.e = len(bin(self.m)) - 2
        self.mn = rounded(self.m, self.e - 15)
        factor = (127 * 2**22 + (self.mn >> 1)) // self.mn
        self.q = [(rounded(value, self.e - 15) * factor + 2**21) >> 22 for value in u]
        assert all(abs(value) <= 127 for value in self.q)

    def weight(self, one: Instruction, row: int, column: int) -> int:
        five = bool(one.flags & Flag.FIVE_TRITS)
        per_byte = 5 if five else 4
        per_word = self.geometry.columns_per_word(five)
        word_bytes = self.geometry.memory_bits // 8
        words = (one.n + per_word - 1) // per_word
        start = 2 * one.address + row * words * word_bytes
        byte = self.memory[start + column // per_byte]
        place = column % per_byte
        if not five:
            return (byte >> 2 * place) % 4 - 1
        for _ in range(place):
            byte = 3 * byte & 255
        return (3 * byte >> 8) - 1

    def tmv(self, one: Instruction, top_k: int) -> None:
        d = (self.mn * 2**16 + (self.R >> 1)) // self.R if self.mn else 0
        scale = (d * one.factor + 2**15) >> 16
        assert scale < 2**17
        t = min(max(one.shift - self.e + self.s // 2, 0), 40)
        sums = [
            sum(self.q[k] * self.weight(one, row, k) for k in range(one.n))
            for row in range(one.extra)
        ]
        if one.flags & Flag.TOP:
            order = sorted(range(one.extra), key=lambda row: (-sums[row], row))
            self.top = [(row, sums[row]) for row in order[:top_k]]
            self.scale = (scale, t)
            return
        target = self.rams[one.ram1]
        for row, value in enumerate(sums):
            out = self.sat16(rounded(value * scale, t))
            if one.flags & Flag.ADD:
                out = self.sat16(target[one.offset + row] + out)
            target[one.offset + row] = out

    def act(self, one: Instruction) -> None:
        for k in range(one.n):
            x = self.rams[one.ram1][one.offset + k]
            p = min(max(x * 2**one.shift, -32768), 32767)
            y = p + 32768
            j = y >> 8
            g = T[j] + (((T[j + 1] - T[j]) * (y & 255) + 128) >> 8)
            if one.flags & Flag.SIGMOID:
                bound = self.half(one.address + k) & 0xFFFF if one.flags & Flag.GAIN else 0
                value = min(bound + rounded((32768 - bound) * g, 15), 32767)
            else:
                value = rounded(x * g, 15)
            self.rams[one.ram2][one.extra + k] = value

    def rec(self, one: Instruction) -> None:
        for k in range(one.n):
            c = self.rams[one.ram1][one.offset + k]
            f = self.rams[one.ram2][one.extra + k]
            h = self.rams[one.ram3][one.factor + k]
            mixed = f * h + (((32768 - f) * c) << one.shift)
            self.rams[one.ram3][one.factor + k] = self.sat16(rounded(mixed, 15))

    def prd(self, one: Instruction) -> None:
        a = self.rams[one.ram1][one.offset : one.offset + one.n]
        b = self.rams[one.ram2][one.extra : one.extra + one.n]
        p = [x * y for x, y in zip(a, b, strict=True)]
        if one.flags & Flag.KEEP:
            self.P = sum(x * x for x in a)
        self.kb = max(max(map(abs, p)).bit_length() - 15, 0)
        for k, value in enumerate(p):
            z = min(max(rounded(value, self.kb), -32768), 32767)
            self.rams[one.ram3][one.factor + k] = z
