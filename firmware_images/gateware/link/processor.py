"""The link's processor: one accumulator, one pointer, 16 bits, three cycles an instruction.

It knows its instructions; it does not know the program or what stands behind its ports.

An instruction is an operation (6 bits) over an operand (12 bits). Operations below 32 compute
`A = f(A, B)`: bits 2-4 choose f, bits 0-1 choose B. The others store, jump, or set X.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.gateware.link.bus import PORT_BITS, BusSignature

OPERAND_BITS = 12
INSTRUCTION_BITS = OPERAND_BITS + 6


class Function(IntEnum):
    """f(A, B). Those that name C change the carry; the others leave it."""

    LOAD = 0
    SWAP = 1
    """B with its bytes exchanged."""
    AND = 2
    HALVE = 3
    """B >> 1; C = the bit that fell out."""
    ADD = 4
    ADD_CARRY = 5
    SUBTRACT = 6
    """C = A >= B, unsigned."""
    SUBTRACT_CARRY = 7


class Source(IntEnum):
    """Where B comes from, and where a store goes."""

    DIRECT = 0
    """The RAM word that the operand names."""
    IMMEDIATE = 1
    NEXT = 2
    """The RAM word at X; X goes up by one."""
    PORT = 3


class Control(IntEnum):
    """Operations from 32 on."""

    STORE = 32
    """A goes to DIRECT (32), NEXT (34) or PORT (35)."""
    SET_X = 36
    JUMP = 40
    JUMP_TO_A = 41
    JUMP_ZERO = 42
    JUMP_NONZERO = 43
    JUMP_CARRY = 44
    JUMP_NO_CARRY = 45


class Processor(wiring.Component):
    """Runs `program` from its first word after reset.

    RAM is outside: a read takes one cycle. `bus.wait` stretches the cycle of a port.
    """

    def __init__(self, program: Sequence[int], address_bits: int) -> None:
        self.program = list(program)
        self.address_bits = address_bits
        super().__init__(
            {
                "bus": Out(BusSignature()),
                "ram_address": Out(address_bits),
                "ram_data": In(16),
                "ram_write": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """DECODE addresses RAM and jumps, FETCH takes B and reads the program, EXECUTE."""
        m = Module()
        depth = 1 << max(len(self.program) - 1, 1).bit_length()
        m.submodules.rom = rom = memory.Memory(
            shape=INSTRUCTION_BITS, depth=depth, init=self.program
        )
        instruction = rom.read_port()
        counter = Signal(range(depth))
        word = Signal(INSTRUCTION_BITS)
        operand, operation = word[:OPERAND_BITS], word[OPERAND_BITS:]
        a, b = Signal(16), Signal(16)
        x = Signal(self.address_bits)
        carry = Signal()

        source, function = operation[:2], operation[2:5]
        computes = ~operation[5]
        stores = operation[5] & (operation[2:5] == 0)
        uses_port = source == Source.PORT
        uses_next = (source == Source.NEXT) & ~(operation[5] & (operation[2:5] != 0))
        takes = Array([1, 1, a == 0, a != 0, carry, ~carry, 0, 0])[operation[:3]]

        m.d.comb += [
            instruction.addr.eq(counter),
            self.ram_address.eq(Mux(source[1], x, operand)),
            self.bus.port.eq(operand[:PORT_BITS]),
            self.bus.data.eq(a),
        ]
        with m.FSM():
            with m.State("START"):
                m.next = "NEXT"
            with m.State("NEXT"):
                m.d.sync += [word.eq(instruction.data), counter.eq(counter + 1)]
                m.next = "DECODE"
            with m.State("DECODE"):
                with m.If(operation[5] & operation[3] & takes):
                    m.d.sync += counter.eq(Mux(operation[:3] == 1, a, operand))
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += [
                    self.ram_write.eq(stores & ~uses_port),
                    self.bus.write.eq(stores & uses_port),
                    self.bus.read.eq(computes & uses_port),
                ]
                with m.Switch(source):
                    with m.Case(Source.IMMEDIATE):
                        m.d.sync += b.eq(operand)
                    with m.Case(Source.PORT):
                        m.d.sync += b.eq(self.bus.value)
                    with m.Default():
                        m.d.sync += b.eq(self.ram_data)
                with m.If(~(uses_port & self.bus.wait)):
                    m.next = "EXECUTE"
            with m.State("EXECUTE"):
                m.d.sync += [word.eq(instruction.data), counter.eq(counter + 1)]
                with m.If(uses_next):
                    m.d.sync += x.eq(x + 1)
                with m.If(operation == Control.SET_X):
                    m.d.sync += x.eq(a)
                m.next = "DECODE"

                minus = function[1]
                total = a + Mux(minus, ~b, b) + Mux(function[0], carry, minus)
                results = Array([b, Cat(b[8:], b[:8]), a & b, b >> 1, total, total, total, total])
                with m.If(computes):
                    m.d.sync += a.eq(results[function])
                    with m.If(function[2]):
                        m.d.sync += carry.eq(total[16])
                    with m.Elif(function == Function.HALVE):
                        m.d.sync += carry.eq(b[0])
        return m
