"""Products of 24 by 32 bits, rounded to 16: five multipliers and what joins them.

It knows `>>r` of docs/accelerator-isa.md for four shifts; others are made by a power of two in a
factor. It does not know what the factors are.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.gateware.core.adder import add_carry
from edge_sdk.firmware_images.gateware.core.choice import choose

LOW = 17
"""Bits of the low part of a factor: unsigned, as a signed 18-bit multiplier takes it."""
DROPS = (0, 16, 32, 40)
TOTAL_DELAY = 3
RESULT_DELAY = 5
_WINDOW = 17


class Product(wiring.Component):
    """(a * b + 2 * c * d) >>r DROPS[drop], one a cycle; 2 * c * d only if `mixed`, with a >= 0.

    `total` is the product before the shift, TOTAL_DELAY cycles after the factors. RESULT_DELAY
    cycles after them, `result` is exact unless `over`, and `negative` is its sign even then.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "enable": In(1, init=1),
                "a": In(signed(24)),
                "b": In(signed(32)),
                "c": In(signed(16)),
                "d": In(signed(16)),
                "mixed": In(1),
                "drop": In(2),
                "total": Out(signed(56)),
                "result": Out(signed(18)),
                "over": Out(1),
                "negative": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Multiply; join twice; choose the window; round."""
        m = Module()
        a_low, a_high = self.a[:LOW], self.a[LOW:].as_signed()
        b_low, b_high = self.b[:LOW], self.b[LOW:].as_signed()
        ll, lh = Signal(2 * LOW), Signal(signed(32))
        hl, hh = Signal(signed(24)), Signal(signed(22))
        cd = Signal(signed(32))
        low, middle, high = Signal(2 * LOW), Signal(signed(33)), Signal(signed(22))
        joined = Signal(signed(36))
        # One of the two is zero: a has no high part where c * d is added.
        m.d.comb += joined.eq(ll + (cd << 1))
        top = Cat(joined[34:], *(joined[-1] for _ in range(20))) | hh

        window, half = Signal(signed(_WINDOW)), Signal()
        over, negative = Signal(), Signal()
        extended = Cat(self.total, self.total[-1])
        same = _all_same(self.total[48:])
        same_48 = same
        same_32 = _all_same(self.total[32:49]) & same_48
        same_16 = _all_same(self.total[16:33]) & same_32
        with m.If(self.enable):
            m.d.sync += [
                ll.eq(a_low * b_low),
                lh.eq(a_low * b_high),
                hl.eq(a_high * b_low),
                hh.eq(a_high * b_high),
                cd.eq(self.c * self.d),
                low.eq(joined),
                high.eq(top),
                middle.eq(lh + hl),
                self.total.eq(Cat(low[:LOW], (Cat(low[LOW:], high).as_signed() + middle)[:39])),
                window.eq(choose(self.drop, [extended[at : at + _WINDOW] for at in DROPS])),
                half.eq(choose(self.drop, [self.total[at - 1] if at else 0 for at in DROPS])),
                over.eq(~choose(self.drop, [same_16, same_32, same_48, 1])),
                negative.eq(self.total[-1]),
                self.result.eq(add_carry(window, 0, half)),
                self.over.eq(over),
                self.negative.eq(negative),
            ]
            with m.If(~self.mixed):
                m.d.sync += cd.eq(0)
        return m


def _all_same(bits: Value) -> Value:
    return bits.all() | ~bits.any()
