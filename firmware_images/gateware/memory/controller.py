"""An SDR SDRAM behind the memory port, as large as it was built for.

It knows how commands and data get to the chip's pins and back; it does not know what is fitted.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.gateware.memory.access import Access
from edge_sdk.firmware_images.gateware.memory.chip import Chip, Clocks
from edge_sdk.firmware_images.gateware.memory.command import layout
from edge_sdk.firmware_images.gateware.memory.pins import SdramPins
from edge_sdk.firmware_images.gateware.memory.queue import ReservedQueue
from edge_sdk.firmware_images.gateware.memory.upkeep import Upkeep
from edge_sdk.firmware_images.gateware.ports import MemorySignature


class SdramController(wiring.Component):
    """Streams a word a clock but for two clocks a row and the refreshes.

    `port.ready` and `port.found` are those of a chip that is initialised and as built for.

    Args:
        chip: geometry and times.
        clock_hz: of the domain `sync` and of the chip.
        round_trip: clocks that registers outside of this component add, on the way to the chip
            and on the way back together.
        batch: refreshes at a time while in use.
        clocks: the times in clocks, if not those that follow from chip and clock.
    """

    def __init__(
        self,
        chip: Chip,
        clock_hz: float,
        round_trip: int = 0,
        batch: int = 4,
        clocks: Clocks | None = None,
    ) -> None:
        self.chip = chip
        self.clocks = clocks or Clocks.of(chip, clock_hz)
        self.round_trip = round_trip
        self.batch = batch
        super().__init__(
            {
                "port": In(MemorySignature(chip.bits, chip.address_bits)),
                "pins": Out(SdramPins(chip)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A place in the queue is reserved with each READ, so no word that comes back is lost."""
        m = Module()
        chip, port, pins = self.chip, self.port, self.pins
        m.submodules.upkeep = upkeep = Upkeep(chip, self.clocks, self.batch)
        m.submodules.access = access = Access(chip, self.clocks)
        m.submodules.queue = queue = ReservedQueue(chip.bits)

        wiring.connect(m, wiring.flipped(port.request), access.request)
        wiring.connect(m, queue.output, wiring.flipped(port.read))
        reading = Signal()
        m.d.comb += [
            upkeep.in_use.eq(access.active),
            upkeep.may_close.eq(access.may_close),
            access.hold.eq(upkeep.owns),
            access.accept.eq(upkeep.ready & queue.vacant),
            access.may_transfer.eq(Mux(access.writing, port.write.valid, queue.room)),
            port.write.ready.eq(access.transfer & access.writing),
            reading.eq(access.transfer & ~access.writing),
            queue.reserve.eq(reading),
            port.ready.eq(upkeep.ready),
            port.found.eq(1 << chip.address_bits),
            port.refresh.eq(upkeep.refresh),
        ]

        command = Signal(layout(chip))
        m.d.comb += command.eq(Mux(upkeep.owns, upkeep.command, access.command))
        m.d.sync += [
            pins.cke.eq(1),
            pins.cs.eq(1),
            Cat(pins.ras, pins.cas, pins.we).eq(command.code),
            pins.ba.eq(command.bank),
            pins.a.eq(command.address),
            pins.dqm.eq((~upkeep.ready).replicate(chip.bits // 8)),
            pins.dq_o.eq(port.write.payload),
            pins.dq_oe.eq(port.write.ready),
        ]

        # READ is on the pins a clock after `reading`; the word that is on `dq_i` CAS clocks after
        # that, or more by round_trip, is in its register yet one later.
        underway = Signal(chip.cas + self.round_trip + 2)
        m.d.sync += [
            underway.eq(Cat(reading, underway)),
            queue.item.eq(pins.dq_i),
        ]
        m.d.comb += queue.push.eq(underway[-1])
        return m
