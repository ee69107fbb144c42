"""The vector unit: one pipeline through which every element of every instruction passes.

It knows the arithmetic of docs/accelerator-isa.md; it does not know instructions or addresses.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.contract.geometry import ACCUMULATOR_BITS
from edge_sdk.firmware_images.gateware.core.adder import add_carry
from edge_sdk.firmware_images.gateware.core.control import ACTIVATION, VECTOR_MODE
from edge_sdk.firmware_images.gateware.core.product import RESULT_DELAY, TOTAL_DELAY, Product
from edge_sdk.firmware_images.gateware.core.rams import OPERANDS
from edge_sdk.firmware_images.gateware.core.sigmoid import DELAY as SIGMOID_DELAY
from edge_sdk.firmware_images.gateware.core.sigmoid import Sigmoid

SQUARES_BITS = 48
QUANTISER_DROP = 22
_SHIFTED = 4
"""Cycles after an element was issued until its first operand stands shifted in a register."""
_SATURATED, _ADDED = RESULT_DELAY + 1, RESULT_DELAY + 2
"""Cycles after the factors stood in registers."""


class Vector(wiring.Component):
    """result = saturate(saturate(a * b >>r drop) + addend), one element a cycle.

    `mode` chooses a, b and addend, see _factors; it is steady over a pass. `clear` begins a pass:
    `largest` gathers the most of |a * b|, `squares` the squares of the first operand, `own` those
    of the rounded product. Elements end in `write`, in `activations` or nowhere.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "mode": In(VECTOR_MODE),
                "scale": In(16),
                "one_hot": In(16),
                "drop": In(2),
                "clear": In(1),
                "stop": In(1),
                # An element, as Issue and Rams say it.
                "issued": In(1),
                "operand": In(signed(ACCUMULATOR_BITS)),
                "last": In(1),
                "capture": In(OPERANDS),
                "values": In(data.ArrayLayout(16, OPERANDS)),
                "enable": Out(1),  # low while the activations are not taken: nothing moves
                "busy": Out(1),
                "activations": Out(stream.Signature(ACTIVATION)),
                "write": Out(1),
                "result": Out(signed(16)),
                "saturated": Out(2),
                "largest": Out(31),
                "squares": Out(SQUARES_BITS),
                "own": Out(SQUARES_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Operands, factors, product, result: in the order in which an element meets them."""
        self._m = m = Module()
        m.submodules.product = self._product = product = Product()
        m.submodules.sigmoid = self._sigmoid = sigmoid = Sigmoid()
        m.d.comb += [
            self.enable.eq(~self.activations.valid | self.activations.ready),
            product.enable.eq(self.enable),
            sigmoid.enable.eq(self.enable),
        ]
        mode = self.mode
        early = self._marks(self.issued, _SHIFTED, "early")
        acting = self._marks(early[-1], SIGMOID_DELAY, "acting")
        late = self._marks(Mux(mode.act, acting[-1], early[-1]), _ADDED + 1, "late")
        lasts = self._delay(self.last, _SHIFTED - 1, "last")
        waiting = self._delay(lasts[-1], SIGMOID_DELAY, "waiting_last")
        ends = self._delay(Mux(mode.act, waiting[-1], lasts[-1]), _ADDED + 1, "end")
        m.d.comb += self.busy.eq(Cat(*early[1:], *acting[1:], *late[1:]).any())

        addend = self._factors(early)
        self._results(late[1:], ends[-1], addend)
        self._gather(early, late[1:])
        return m

    def _delay(self, value: ValueLike, cycles: int, name: str) -> list[Value]:
        """`value`, and what it was 1 to `cycles` enabled cycles ago."""
        line = [Value.cast(value)]
        for index in range(cycles):
            after = Signal(line[0].shape(), reset_less=True, name=f"{name}{index}")
            with self._m.If(self.enable):
                self._m.d.sync += after.eq(line[-1])
            line.append(after)
        return line

    def _marks(self, value: ValueLike, cycles: int, name: str) -> list[Value]:
        """As _delay, for one bit that `stop` clears."""
        line = [Value.cast(value)]
        for index in range(cycles):
            after = Signal(1, name=f"{name}{index}")
            with self._m.If(self.stop):
                self._m.d.sync += after.eq(0)
            with self._m.Elif(self.enable):
                self._m.d.sync += after.eq(line[-1])
            line.append(after)
        return line

    def _factors(self, early: list[Value]) -> Value:
        """Set the product's factors; the addend, which stands with them.

        b is the first operand (or the scale) times 2^j. a is the number that came with the
        element, or the second operand if there are two, or its complement to one if three; then
        2 * second * third is added to the product. With `act`, a is the sigmoid of b, and b the
        first operand itself or, with `sigmoid`, the complement of the number, which is added.
        """
        m, mode, product = self._m, self.mode, self._product
        operands = [
            Signal(signed(16), reset_less=True, name=f"operand{i}") for i in range(OPERANDS)
        ]
        capture = self._delay(self.capture, 1, "capture")[1]
        for index, operand in enumerate(operands):
            with m.If(self.enable & capture[index]):
                m.d.sync += operand.eq(self.values[index])
        self._first = operands[0]
        numbers = self._delay(self.operand, _SHIFTED - 1, "number")
        first, second, third = (
            self._delay(operand, 1, f"later{i}") for i, operand in enumerate(operands)
        )
        shifted = Signal(signed(32), reset_less=True)
        complement = Signal(signed(18), reset_less=True)
        bound = numbers[2][:16]
        subtrahend = Mux(mode.three, operands[1], Cat(bound, Const(0, 1)).as_signed())
        multiplicand = Mux(mode.scale, Cat(self.scale, Const(0, 1)).as_signed(), operands[0])
        with m.If(self.enable):
            m.d.sync += [
                shifted.eq(multiplicand * self.one_hot),
                complement.eq(32768 - subtrahend),
            ]
        m.d.comb += self._sigmoid.number.eq(shifted)
        own = Mux(mode.sigmoid, complement[:17].as_signed(), first[1])
        owns = self._delay(own, SIGMOID_DELAY, "own")
        bounds = self._delay(Mux(mode.sigmoid, numbers[3][:16], 0), SIGMOID_DELAY, "bound")
        added = Signal(signed(17))
        with m.If(self.enable):
            m.d.sync += [
                product.a.eq(
                    Mux(
                        mode.act,
                        self._sigmoid.result,
                        Mux(mode.three, complement, Mux(mode.two, second[1], numbers[3])),
                    )
                ),
                product.b.eq(Mux(mode.act, owns[-1] << 1, shifted)),
                product.c.eq(second[1]),
                product.d.eq(third[1]),
                added.eq(Mux(mode.act, bounds[-1], Mux(mode.add, first[1], 0))),
            ]
        m.d.comb += [product.mixed.eq(mode.three), product.drop.eq(self.drop)]
        return added

    def _results(self, late: list[Value], last: Value, added: Value) -> None:
        """Saturate, add, saturate; or quantise."""
        m, mode, product = self._m, self.mode, self._product
        addend = self._delay(added, _SATURATED, "addend")[-1]
        value = Signal(signed(16), reset_less=True)
        total = Signal(signed(18), reset_less=True)
        quantised = Signal(signed(18 + 17), reset_less=True)
        scaled = quantised[QUANTISER_DROP - 1 :].as_signed()
        q = Signal(signed(8), reset_less=True)
        outside = product.over | _outside(product.result)
        twice = _outside(total)
        with m.If(self.enable):
            m.d.sync += [
                value.eq(_limit(product.result, outside, product.negative)),
                quantised.eq(product.result * Cat(self.scale, Const(0, 1)).as_signed()),
                total.eq(value + addend),
                q.eq(add_carry(scaled[1:9].as_signed(), Const(0, 1), scaled[0])),
            ]
        m.d.comb += [
            self.result.eq(_limit(total, twice, total[-1])),
            self.write.eq(late[_ADDED] & mode.store),
            self.activations.valid.eq(late[_ADDED] & mode.quantise),
            self.activations.payload.value.eq(q),
            self.activations.payload.last.eq(last),
        ]
        m.d.sync += [
            # A product of two vectors is block-normalised: only its rounding can leave 16 bits.
            self.saturated[0].eq(
                late[RESULT_DELAY] & mode.store & (mode.three | ~mode.two) & outside
            ),
            self.saturated[1].eq(late[_ADDED] & mode.add & twice),
        ]

    def _gather(self, early: list[Value], late: list[Value]) -> None:
        """Over a pass: the largest product, and two sums of squares."""
        m, total, result = self._m, self._product.total, self._product.result
        magnitude = Signal(31, reset_less=True)
        first_square = Signal(31, reset_less=True)
        result_square = Signal(32, reset_less=True)
        with m.If(self.enable):
            m.d.sync += [
                magnitude.eq(add_carry(total[:31] ^ total[31].replicate(31), 0, total[31])),
                first_square.eq(self._first * self._first),
                result_square.eq(result * result),
            ]
        with m.If(self.clear):
            m.d.sync += [self.largest.eq(0), self.squares.eq(0), self.own.eq(0)]
        with m.Elif(self.enable):
            with m.If(late[TOTAL_DELAY + 1] & (magnitude > self.largest)):
                m.d.sync += self.largest.eq(magnitude)
            with m.If(early[_SHIFTED]):
                m.d.sync += self.squares.eq(self.squares + first_square)
            with m.If(late[RESULT_DELAY + 1]):
                m.d.sync += self.own.eq(self.own + result_square)


def _outside(value: Value) -> Value:
    """Whether a signed value does not fit 16 bits."""
    above = value[15:]
    return above.any() & ~above.all()


def _limit(value: Value, outside: Value, negative: Value) -> Value:
    """`value` in 16 bits, or the limit on its side."""
    return Mux(outside, Cat((~negative).replicate(15), negative), value[:16]).as_signed()
