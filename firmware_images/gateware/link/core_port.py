"""The processor's way to the core: tasks, their results, the RAM window, the counters.

It knows the core's signals; it does not know when which of them is asked for.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.gateware.link.bus import (
    CORE_COUNTERS,
    BusSignature,
    Input,
    Output,
)
from edge_sdk.firmware_images.gateware.ports import CoreSignature


class CorePort(wiring.Component):
    """Ports 16 to 63. `runs` from the start of a task to its end.

    After an abort the core may need memory a little longer: what it has asked for is still to
    come. A task that it has not taken ends with the abort.
    Eight WORDs make an instruction; the last two of them are the address of either program.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "bus": In(BusSignature()),
                "core": Out(CoreSignature()),
                "runs": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Registers, and one choice of what to read."""
        m = Module()
        bus, core = self.bus, self.core
        words = Signal(128)
        argument = Signal(16)
        m.d.comb += [
            core.instruction.eq(words),
            core.body.eq(words[96:]),
            core.head.eq(words[96:]),
            core.task.payload.token.eq(argument),
            core.top_index.eq(argument),
            core.ram_address.eq(argument),
            core.ram_write.eq(bus.write & (bus.port == Output.RAM_DATA)),
            core.ram_write_data.eq(bus.data),
            core.abort.eq(bus.write & (bus.port == Output.ABORT)),
        ]
        with m.If(core.task.ready):
            m.d.sync += core.task.valid.eq(0)
        with m.If(core.done):
            m.d.sync += self.runs.eq(0)
        with m.If(bus.write), m.Switch(bus.port):
            with m.Case(Output.WORD):
                m.d.sync += words.eq(Cat(words[16:], bus.data))
            with m.Case(Output.ARGUMENT):
                m.d.sync += argument.eq(bus.data)
            with m.Case(Output.TOP_K):
                m.d.sync += core.task.payload.top_k.eq(bus.data)
            with m.Case(Output.TASK):
                m.d.sync += [
                    core.task.payload.task.eq(bus.data[:2]),
                    core.task.valid.eq(1),
                    self.runs.eq(1),
                ]
            with m.Case(Output.ABORT):
                m.d.sync += core.task.valid.eq(0)
                with m.If(core.task.valid & ~core.task.ready):
                    m.d.sync += self.runs.eq(0)
            with m.Case(Output.RELEASE):
                m.d.sync += self.runs.eq(0)
            with m.Case(Output.RAM):
                m.d.sync += core.ram.eq(bus.data)

        pairs: dict[int, Any] = {
            Input.FAULT_LOW: core.fault,
            Input.MANTISSA_LOW: core.mantissa,
            Input.TOP_SUM_LOW: core.top_sum.as_signed(),
        }
        for i, counter in enumerate(CORE_COUNTERS):
            pairs[Input.COUNTER + 2 * i] = core.counters[counter]
        single = {
            Input.CODE: core.code << 8,
            Input.SHIFT: core.shift,
            Input.TOP_COUNT: core.top_count,
            Input.TOP_ROW: core.top_row,
            Input.RAM_DATA: core.ram_read_data,
        }
        # In a register: these come from far, block RAM among them. The processor names a port a
        # cycle before it takes the value, and nothing here changes with the asking.
        m.d.sync += bus.value.eq(0)
        with m.Switch(bus.port):
            for port, value in single.items():
                with m.Case(port):
                    m.d.sync += bus.value.eq(value)
            for first, value in pairs.items():
                with m.Case(first):
                    m.d.sync += bus.value.eq(value)
                with m.Case(first + 1):
                    m.d.sync += bus.value.eq(value >> 16)
        return m
