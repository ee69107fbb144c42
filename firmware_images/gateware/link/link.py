"""Bytes in, bytes out: the command machine of docs/wire-protocol.md.

It knows which block is joined to which; what is done with requests is in the program.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from edge_sdk.firmware_images.gateware.link import program
from edge_sdk.firmware_images.gateware.link.bus import Input, Output, Status
from edge_sdk.firmware_images.gateware.link.core_port import CorePort
from edge_sdk.firmware_images.gateware.link.crc import Crc32
from edge_sdk.firmware_images.gateware.link.frame_receiver import FrameReceiver
from edge_sdk.firmware_images.gateware.link.frame_sender import FrameSender
from edge_sdk.firmware_images.gateware.link.layout import REQUEST_BYTES, Settings
from edge_sdk.firmware_images.gateware.link.memory_port import MemoryPort
from edge_sdk.firmware_images.gateware.link.processor import Processor
from edge_sdk.firmware_images.gateware.link.uart import DIVISOR_BITS
from edge_sdk.firmware_images.gateware.ports import CoreSignature, MemorySignature


class Link(wiring.Component):
    """Takes requests from `received`, gives replies to `sent`.

    A request is received, executed and answered before the next is taken; until then bytes wait in
    whatever feeds `received`. `runs`: memory belongs to the core. `divisor` is valid with
    `set_divisor`, which waits for `line_idle`. `scl`, `sda`: the lines; `scl_low`, `sda_low`: pull.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        geometry = settings.geometry
        self.memory_bits = geometry.memory_bits
        self.address_bits = (geometry.memory_words - 1).bit_length()
        super().__init__(
            {
                "received": In(stream.Signature(8)),
                "sent": Out(stream.Signature(8)),
                "divisor": Out(DIVISOR_BITS),
                "set_divisor": Out(1),
                "line_idle": In(1),
                "memory": Out(MemorySignature(self.memory_bits, self.address_bits)),
                "core": Out(CoreSignature()),
                "runs": Out(1),
                "scl": In(1),
                "sda": In(1),
                "scl_low": Out(1),
                "sda_low": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One RAM for all messages and variables, used by one block at a time."""
        m = Module()
        code, contents = program.build(self.settings)
        address_bits = (len(contents) - 1).bit_length()
        # All that an address can say: reads ahead of a decision may be anywhere.
        depth = 1 << address_bits
        m.submodules.ram = ram = memory.Memory(shape=16, depth=depth, init=contents)
        reads, writes = ram.read_port(), ram.write_port(granularity=8)
        m.submodules.processor = processor = Processor(code, address_bits)
        m.submodules.receiver = receiver = FrameReceiver(REQUEST_BYTES)
        m.submodules.sender = sender = FrameSender(address_bits)
        m.submodules.crc = crc = Crc32()
        m.submodules.memory_port = memory_port = MemoryPort(self.memory_bits, self.address_bits)
        m.submodules.core_port = core_port = CorePort()
        connect(m, flipped(self.received), receiver.bytes)
        connect(m, sender.bytes, flipped(self.sent))
        connect(m, memory_port.memory, flipped(self.memory))
        connect(m, core_port.core, flipped(self.core))

        # The processor goes before the receiver, and while the sender is busy it only waits.
        bus = processor.bus
        m.d.comb += [
            reads.addr.eq(Mux(sender.busy, sender.address, processor.ram_address)),
            processor.ram_data.eq(reads.data),
            sender.word.eq(reads.data),
            receiver.hold.eq(processor.ram_write),
        ]
        with m.If(processor.ram_write):
            m.d.comb += [
                writes.addr.eq(processor.ram_address),
                writes.data.eq(bus.data),
                writes.en.eq(0b11),
            ]
        with m.Else():
            m.d.comb += [
                writes.addr.eq(receiver.count[1:]),
                writes.data.eq(receiver.data.replicate(2)),
                writes.en.eq(receiver.write << receiver.count[0]),
            ]

        # One CRC: of the frame that comes in, of memory, of the frame that goes out.
        m.d.comb += [
            crc.clear.eq(
                sender.crc_clear
                | (bus.write & ((bus.port == Output.NEXT_FRAME) | (bus.port == Output.CLEAR_CRC)))
            ),
            crc.feed.eq(receiver.write | sender.crc_feed | memory_port.crc_feed),
            crc.data.eq(Mux(receiver.ended, memory_port.crc_data, receiver.data)),
            receiver.crc_good.eq(crc.good),
            sender.crc.eq(crc.value),
            memory_port.crc.eq(crc.value),
        ]
        with m.If(sender.busy):
            m.d.comb += crc.data.eq(sender.byte)
        self._ports(m, bus, receiver, sender, memory_port, core_port)
        return m

    def _ports(
        self,
        m: Module,
        bus: Any,
        receiver: FrameReceiver,
        sender: FrameSender,
        memory_port: MemoryPort,
        core_port: CorePort,
    ) -> None:
        """Ports 0 to 7, and the way to the others."""
        cycles = Signal(32)
        cycles_high = Signal(16)
        m.d.sync += cycles.eq(cycles + 1)
        m.d.comb += [
            receiver.go_on.eq(bus.write & (bus.port == Output.NEXT_FRAME)),
            self.divisor.eq(bus.data),
            self.set_divisor.eq(bus.write & (bus.port == Output.DIVISOR)),
            self.runs.eq(core_port.runs),
        ]
        m.d.sync += sender.start.eq(bus.write & (bus.port == Output.SEND_FIRST))
        with m.If(bus.write), m.Switch(bus.port):
            with m.Case(Output.SEND_END):
                m.d.sync += sender.end.eq(bus.data)
            with m.Case(Output.SEND_FIRST):
                m.d.sync += sender.first.eq(bus.data)
            with m.Case(Output.I2C):
                m.d.sync += Cat(self.scl_low, self.sda_low).eq(bus.data)
        with m.If(bus.read & (bus.port == Input.CYCLES_LOW)):
            m.d.sync += cycles_high.eq(cycles[16:])

        status = {
            Status.FRAME_ENDED: receiver.ended,
            Status.FRAME_GOOD: receiver.good,
            Status.SENDING: sender.busy | sender.start,
            Status.LINE_IDLE: self.line_idle,
            Status.SCL: self.scl,
            Status.SDA: self.sda,
            Status.MEMORY_READY: self.memory.ready,
            Status.MEMORY_BUSY: memory_port.busy,
            Status.MEMORY_VALID: memory_port.valid,
            Status.TASK_RUNS: core_port.runs,
        }
        own = Signal(16)
        with m.Switch(bus.port):
            with m.Case(Input.STATUS):
                for bit, value in status.items():
                    m.d.comb += own[bit].eq(value)
            with m.Case(Input.FRAME_COUNT):
                m.d.comb += own.eq(receiver.count)
            with m.Case(Input.CYCLES_LOW):
                m.d.comb += own.eq(cycles)
            with m.Case(Input.CYCLES_HIGH):
                m.d.comb += own.eq(cycles_high)
        for part in (memory_port.bus, core_port.bus):
            m.d.comb += [
                part.port.eq(bus.port),
                part.data.eq(bus.data),
                part.write.eq(bus.write),
                part.read.eq(bus.read),
            ]
        m.d.comb += [
            bus.value.eq(own | memory_port.bus.value | core_port.bus.value),
            bus.wait.eq(memory_port.bus.wait),
        ]
