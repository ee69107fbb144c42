"""The four vector RAMs, read by three operands at once and written by one result.

It knows which RAM an operand stands in and the link's window; it does not know instructions.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.gateware.core.choice import choose

OPERANDS = 3


class Rams(wiring.Component):
    """X, S, A and B. What is read comes two cycles after its address.

    Operands in different RAMs are read in one cycle. If `shared`, operands may stand in one RAM:
    all RAMs then see the address of operand `turn`. While `window` the link reads and writes.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        super().__init__(
            {
                "enable": In(1, init=1),
                "rams": In(data.ArrayLayout(2, OPERANDS)),
                "addresses": In(data.ArrayLayout(16, OPERANDS)),
                "shared": In(1),
                "turn": In(2),
                "values": Out(data.ArrayLayout(16, OPERANDS)),
                "write": In(1),
                "write_ram": In(2),
                "write_address": In(16),
                "write_data": In(16),
                "window": In(1),
                "window_ram": In(2),
                "window_address": In(16),
                "window_write": In(1),
                "window_data": In(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One block RAM of one read and one write port each."""
        m = Module()
        first, ram, address, value = Signal(16), Signal(2), Signal(16), Signal(16)
        m.d.comb += [
            first.eq(Mux(self.window, self.window_address, self.addresses[0])),
            ram.eq(Mux(self.window, self.window_ram, self.write_ram)),
            address.eq(Mux(self.window, self.window_address, self.write_address)),
            value.eq(Mux(self.window, self.window_data, self.write_data)),
        ]
        read = []
        for one in Ram:
            depth = self.geometry.depth(one)
            bits = ceil_log2(depth)
            # Nobody writes the element that is being read: no bypass around the block RAM.
            store = Memory(shape=16, depth=depth, init=[], attrs={"no_rw_check": 1})
            m.submodules[one.name] = store
            port, write = store.read_port(domain="comb"), store.write_port()
            out, at = Signal(16, reset_less=True, name=f"read_{one.name}"), Signal(bits)
            with m.If(Mux(self.shared, self.turn == 0, self.rams[0] == one) | self.window):
                m.d.comb += at.eq(first)
            with m.Elif(Mux(self.shared, self.turn == 1, self.rams[1] == one)):
                m.d.comb += at.eq(self.addresses[1])
            with m.Else():
                m.d.comb += at.eq(self.addresses[2])
            m.d.comb += [
                port.addr.eq(at),
                write.addr.eq(address),
                write.data.eq(value),
                write.en.eq((ram == one) & Mux(self.window, self.window_write, self.write)),
            ]
            held = Signal(16, reset_less=True, name=f"held_{one.name}")
            with m.If(self.enable):
                # The first register is the block RAM's own.
                m.d.sync += [out.eq(port.data), held.eq(out)]
            read.append(held)
        looked, choice = Signal(2), Signal(2)
        m.d.sync += [
            looked.eq(self.window_ram),
            choice.eq(Mux(self.window, looked, self.rams[0])),
        ]
        for index, select in enumerate([choice, self.rams[1], self.rams[2]]):
            m.d.comb += self.values[index].eq(choose(select, read))
        return m
