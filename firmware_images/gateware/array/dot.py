"""Weights times activations without multipliers, summed exactly over a row.

It knows lanes and partial sums; it does not know encodings, addresses or how many rows there are.
"""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.contract.geometry import ACCUMULATOR_BITS
from edge_sdk.firmware_images.gateware.array.weights import WEIGHT

LANE_BITS = 9
"""Of twice an int8."""


def add(a: Value, b: Value, carry: Value) -> Value:
    """a + b + carry, one bit wider: the carry enters below the lowest bit of one carry chain."""
    low = Cat(C(1, 1), a).as_signed() + Cat(carry, b).as_signed()
    return low[1:].as_signed()


class DotProduct(wiring.Component):
    """One group of lanes a cycle; a row ends with `last`, and its sum comes with `done`.

    -x is ~x + 1: of the N carries of N lanes, N - 1 enter the adder tree and one the accumulator.

    Args:
        lanes: weights a cycle.
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(
            {
                "valid": In(1),
                "last": In(1),
                "activations": In(data.ArrayLayout(signed(8), lanes)),
                "weights": In(data.ArrayLayout(WEIGHT, lanes)),
                "done": Out(1),
                "sum": Out(signed(ACCUMULATOR_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One register stage for the lanes, one for each level of the tree, one for the sum."""
        m = Module()

        def register(value: Value, *, reset_less: bool = True) -> Signal:
            stage = Signal(value.shape(), reset_less=reset_less)
            m.d.sync += stage.eq(value)
            return stage

        terms, carries = [], []
        for lane in range(self.lanes):
            x: Value = self.activations[lane]
            weight = self.weights[lane]
            low, high = Value.cast(weight.select)
            # One LUT a bit: two bits of x, two of the weight. A choice with a plain 0 in it would
            # become a reset of the register, one more LUT a lane.
            term = Mux(high, Mux(low, x << 1, ~x), x & low.replicate(LANE_BITS))
            stage = Signal(signed(LANE_BITS), reset_less=True)
            m.d.sync += stage.eq(term)
            terms.append(stage)
            carries.append(register(weight.carry))
        valid = register(self.valid, reset_less=False)
        last = register(self.last)

        while len(terms) > 1:
            pairs = len(terms) // 2
            sums = [
                add(a, b, carry)
                for a, b, carry in zip(
                    terms[0 : 2 * pairs : 2], terms[1 : 2 * pairs : 2], carries, strict=False
                )
            ]
            terms = [register(value) for value in sums + terms[2 * pairs :]]
            carries = [register(value) for value in carries[pairs:]]
            valid = register(valid, reset_less=False)
            last = register(last)

        held = Signal(signed(ACCUMULATOR_BITS))
        total = Signal(signed(ACCUMULATOR_BITS))
        m.d.comb += total.eq(add(held, terms[0], carries[0]))
        clear = Signal()
        m.d.comb += clear.eq(valid & last)
        with m.If(clear):
            m.d.sync += held.eq(0)
        with m.Elif(valid):
            m.d.sync += held.eq(total)
        m.d.sync += [self.done.eq(clear), self.sum.eq(total)]
        return m
