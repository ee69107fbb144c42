"""CRC-32 (zlib's), a byte a cycle.

It knows the polynomial; it does not know whose bytes they are.
"""

from __future__ import annotations

from functools import reduce
from operator import xor

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

POLYNOMIAL = 0xEDB88320
RESIDUE = 0xDEBB20E3
"""What the register holds after a message and its own CRC."""


def after_byte(register: Value, byte: Value) -> Value:
    """The register after eight more bits, each bit of it as one sum of the bits before."""
    inputs = [*register, *byte]
    state = [frozenset([i]) for i in range(32)]
    for i in range(8):
        out = state[0] ^ {32 + i}
        shifted = [*state[1:], frozenset()]
        state = [s ^ out if POLYNOMIAL >> k & 1 else s for k, s in enumerate(shifted)]
    return Cat(reduce(xor, (inputs[i] for i in sorted(terms))) for terms in state)


class Crc32(wiring.Component):
    """`clear` begins a message, `feed` takes `data`; `value` is the CRC of what was fed."""

    def __init__(self) -> None:
        super().__init__(
            {
                "clear": In(1),
                "feed": In(1),
                "data": In(8),
                "value": Out(32),
                # What was fed ended with its own CRC.
                "good": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One register."""
        m = Module()
        register = Signal(32, init=0xFFFFFFFF)
        with m.If(self.clear):
            m.d.sync += register.eq(register.init)
        with m.Elif(self.feed):
            m.d.sync += register.eq(after_byte(register, self.data))
        m.d.comb += [self.value.eq(~register), self.good.eq(register == RESIDUE)]
        return m
