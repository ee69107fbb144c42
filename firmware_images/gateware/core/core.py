"""The core: its parts, and the registers between the sequencer and them.

It knows the ports of the link, the memory and the array; it does not know what is behind them.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.gateware.core.control import Event, Inlet, Outlet
from edge_sdk.firmware_images.gateware.core.counters import Counters
from edge_sdk.firmware_images.gateware.core.gearbox import Gearbox
from edge_sdk.firmware_images.gateware.core.issue import Issue
from edge_sdk.firmware_images.gateware.core.microcode import program
from edge_sdk.firmware_images.gateware.core.rams import OPERANDS, Rams
from edge_sdk.firmware_images.gateware.core.sequencer import Sequencer
from edge_sdk.firmware_images.gateware.core.topk import TopK
from edge_sdk.firmware_images.gateware.core.vector import Vector
from edge_sdk.firmware_images.gateware.ports import (
    ArraySignature,
    CoreSignature,
    MemorySignature,
    Task,
)


class Core(wiring.Component):
    """Runs programs from memory, one instruction after the other.

    An abort ends a task at once, but for the words of memory that are still to come: memory gives
    all that it was asked for, and they are dropped first.

    Args:
        geometry: widths and depths.
        address_bits: of a memory word's address.
    """

    def __init__(self, geometry: Geometry, address_bits: int | None = None) -> None:
        if geometry.memory_bits > 128:
            raise ValueError("an instruction must be at least one memory word")
        self.geometry = geometry
        self.address_bits = address_bits or ceil_log2(geometry.memory_words)
        super().__init__(
            {
                "link": In(CoreSignature()),
                "memory": Out(MemorySignature(geometry.memory_bits, self.address_bits)),
                "array": Out(ArraySignature(geometry.memory_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Each part in a method of its own."""
        self._m = m = Module()
        self._sequencer = m.submodules.sequencer = Sequencer(program(self.geometry))
        self._gearbox = m.submodules.gearbox = Gearbox(self.geometry.memory_bits)
        self._issue = m.submodules.issue = Issue()
        self._rams = m.submodules.rams = Rams(self.geometry)
        self._vector = m.submodules.vector = Vector()
        self._top = m.submodules.top = TopK()
        self._counters = m.submodules.counters = Counters()
        self._busy = Signal()
        self._stop = self._strobe(Outlet.STOP)
        self._pass = self._strobe(Outlet.PASS)
        self._tasks()
        self._ask_memory()
        self._elements()
        self._matrices()
        self._inlets()
        return m

    def _strobe(self, outlet: Outlet) -> Signal:
        """High in the cycle in which the sequencer writes to `outlet`."""
        strobe = Signal(name=f"put_{outlet.name.lower()}")
        self._m.d.comb += strobe.eq(self._sequencer.put & (self._sequencer.port == outlet))
        return strobe

    def _register(self, outlet: Outlet, bits: int = 16) -> Signal:
        """What the sequencer wrote last to `outlet`."""
        held = Signal(bits, name=outlet.name.lower())
        with self._m.If(self._strobe(outlet)):
            self._m.d.sync += held.eq(self._sequencer.bus)
        return held

    def _tasks(self) -> None:
        m, link = self._m, self.link
        accept, done = self._strobe(Outlet.ACCEPT), self._strobe(Outlet.DONE)
        self._task = task = Signal.like(link.task.payload)
        self._aborted = aborted = Signal()
        taken = Signal()
        m.d.comb += [
            link.task.ready.eq(accept),
            taken.eq(accept & link.task.valid),
            self._sequencer.restart.eq((self._busy | taken) & link.abort),
            link.fault.eq(Cat(self._register(Outlet.FAULT_LOW), self._register(Outlet.FAULT_HIGH))),
            link.code.eq(self._register(Outlet.DONE, 8)),
            link.mantissa.eq(self._register(Outlet.MANTISSA)),
            link.shift.eq(self._register(Outlet.SHIFT, 6)),
        ]
        # A task that ends in the cycle of its abort has ended well.
        m.d.sync += link.done.eq(done & self._busy)
        with m.If(done):
            m.d.sync += [self._busy.eq(0), aborted.eq(0)]
        with m.Else():
            with m.If(taken):
                m.d.sync += [self._busy.eq(1), task.eq(link.task.payload)]
            with m.If(self._sequencer.restart):
                m.d.sync += aborted.eq(1)

    def _ask_memory(self) -> None:
        """Requests, and the two ways of what comes."""
        m, memory, gearbox = self._m, self.memory, self._gearbox
        read, bus = self._strobe(Outlet.READ), self._sequencer.bus
        drop_bits = ceil_log2(self.geometry.halfwords_per_word)
        address = Cat(self._register(Outlet.ADDRESS_LOW), self._register(Outlet.ADDRESS_HIGH))
        count = Cat(self._register(Outlet.COUNT_LOW), self._register(Outlet.COUNT_HIGH))
        self._asking = asking = Signal()
        to_array = Signal()
        with m.If(read):
            m.d.sync += [asking.eq(1), to_array.eq(bus[0]), gearbox.drop.eq(0)]
        with m.Elif(memory.request.ready):
            m.d.sync += asking.eq(0)
        # All words of the request before have moved when memory takes the next one.
        with m.If(asking & memory.request.ready):
            m.d.sync += gearbox.to_array.eq(to_array)
        with m.If(self._stop):
            m.d.sync += gearbox.drop.eq(1)
        m.d.comb += [
            memory.request.valid.eq(asking),
            memory.request.payload.address.eq(address[drop_bits:]),
            memory.request.payload.count.eq(count[drop_bits:]),
            gearbox.finish.eq(self._issue.finish & ~self._sequencer.taken),
            gearbox.halfwords.ready.eq(self._sequencer.taken | self._issue.halfwords.ready),
            self._issue.halfwords.valid.eq(gearbox.halfwords.valid),
            self._issue.halfwords.payload.eq(gearbox.halfwords.payload),
        ]
        connect(m, gearbox.input, flipped(memory.read))

    def _elements(self) -> None:
        """Issue, RAMs and vector unit: the way of an element."""
        m, issue, rams, vector, link = self._m, self._issue, self._rams, self._vector, self.link
        which = self._register(Outlet.RAMS)
        offsets = [Outlet.OFFSET1, Outlet.OFFSET2, Outlet.OFFSET3]
        mode = self._register(Outlet.MODE)
        target, written = self._register(Outlet.TARGET), Signal(16)
        for part in (issue, rams, self._sequencer):
            m.d.comb += part.rams.eq(which[: 2 * OPERANDS])
        m.d.comb += [
            issue.mode.eq(mode),
            *(issue.offsets[i].eq(self._register(offset)) for i, offset in enumerate(offsets)),
            issue.count.eq(self._register(Outlet.LAST)),
            issue.start.eq(self._pass),
            issue.top.eq(self._sequencer.bus[0]),
            issue.stop.eq(self._stop),
            issue.enable.eq(vector.enable),
            rams.enable.eq(vector.enable),
            rams.addresses.eq(issue.addresses),
            rams.shared.eq(issue.shared),
            rams.turn.eq(issue.turn),
            vector.mode.eq(mode),
            vector.scale.eq(self._register(Outlet.SCALE)),
            vector.one_hot.eq(self._register(Outlet.ONE_HOT)),
            vector.drop.eq(self._register(Outlet.DROP, 2)),
            vector.clear.eq(self._pass),
            vector.stop.eq(self._stop),
            vector.issued.eq(issue.issued),
            vector.operand.eq(issue.operand),
            vector.last.eq(issue.last),
            vector.capture.eq(issue.capture),
            vector.values.eq(rams.values),
            rams.write.eq(vector.write),
            rams.write_ram.eq(which.word_select(vector.mode.dst, 2)),
            rams.write_address.eq(target + written),
            rams.write_data.eq(vector.result),
            rams.window.eq(~self._busy),
            rams.window_ram.eq(link.ram),
            rams.window_address.eq(link.ram_address),
            rams.window_write.eq(link.ram_write),
            rams.window_data.eq(link.ram_write_data),
            link.ram_read_data.eq(rams.values[0]),
        ]
        with m.If(self._pass):
            m.d.sync += written.eq(0)
        with m.Elif(vector.write):
            m.d.sync += written.eq(written + 1)

    def _matrices(self) -> None:
        """The array, the list of the best sums, and what is counted."""
        m, array, top, link = self._m, self.array, self._top, self.link
        counters, words = self._counters, self._gearbox.words
        five = Signal()
        with m.If(self._strobe(Outlet.FIVE)):
            m.d.sync += five.eq(self._sequencer.bus[8])
        m.d.comb += [
            array.five.eq(five),
            array.columns.eq(self._register(Outlet.COLUMNS)),
            array.rows.eq(self._register(Outlet.ROWS)),
            array.start.eq(self._strobe(Outlet.ARRAY)),
            array.abort.eq(self._stop),
            top.clear.eq(self._strobe(Outlet.TOP)),
            top.k.eq(self._sequencer.bus[8:]),
            top.index.eq(link.top_index),
            link.top_count.eq(top.count),
            link.top_row.eq(top.item.row),
            link.top_sum.eq(top.item.sum),
            counters.busy.eq(self._busy),
            counters.word.eq(words.valid & words.ready),
            counters.stream_stall.eq(words.ready & ~words.valid),
            counters.array_stall.eq(words.valid & ~words.ready),
            counters.element.eq(self._issue.issued & ~self._issue.mode.sums),
            counters.refresh.eq(self.memory.refresh),
            counters.saturated.eq(self._vector.saturated),
            link.counters.eq(counters.values),
        ]
        connect(m, flipped(array.words), self._gearbox.words)
        connect(m, flipped(array.activations), self._vector.activations)
        connect(m, self._issue.sums, flipped(array.sums))
        connect(m, top.sums, self._issue.best)

    def _inlets(self) -> None:
        """What the sequencer sees."""
        m, link, task, vector = self._m, self.link, self._task, self._vector
        inlets, events = self._sequencer.inlets, self._sequencer.events
        found = Cat(0 for _ in range(ceil_log2(self.geometry.halfwords_per_word)))
        found = Cat(found, self.memory.found)
        start = Mux(task.task == Task.HEAD, link.head, link.body)
        values = {
            Inlet.MEMORY: self._gearbox.halfwords.payload,
            Inlet.LARGEST_LOW: vector.largest[:16],
            Inlet.LARGEST_HIGH: vector.largest[16:],
            Inlet.FOUND_LOW: found[:16],
            Inlet.FOUND_HIGH: found[16:],
            Inlet.TOKEN: task.token,
            Inlet.TASK: Cat(
                task.task.as_value(), Const(0, 4), self._busy, self._aborted, task.top_k
            ),
            Inlet.START_LOW: start[:16],
            Inlet.START_HIGH: start[16:],
        }
        for first, value in (
            (Inlet.OWN0, vector.own),
            (Inlet.SQUARES0, vector.squares),
            (Inlet.INSTRUCTION0, link.instruction),
        ):
            for index in range(len(value) // 16):
                values[Inlet(first + index)] = value[16 * index : 16 * index + 16]
        m.d.comb += [inlets[inlet].eq(value) for inlet, value in values.items()]
        m.d.comb += [
            events[Event.IDLE].eq(
                ~self._issue.running & ~vector.busy & ~self.array.busy & self._top.idle
            ),
            events[Event.MEMORY].eq(self._gearbox.halfwords.valid),
            events[Event.TASK].eq(link.task.valid),
            events[Event.ASKED].eq(~self._asking),
            events[Event.QUIET].eq(self.memory.request.ready),
        ]
