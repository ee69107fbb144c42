"""Bursts as SDRAM commands: a word a clock, the next row opened while this one is in use.

It knows banks, rows and columns; it does not know refreshes or what happens to the data.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.gateware.memory.chip import Chip, Clocks
from edge_sdk.firmware_images.gateware.memory.command import Code, layout


class Access(wiring.Component):
    """Takes a request when the one before it is over and `accept` is high.

    An address is column, bank, row from its low end: a stream meets the banks in turn. A bank is
    always precharged right before a row of it is opened, so nothing is kept between requests.

    hold: no command may be given, and afterwards all banks are precharged. transfer: the command
    is READ or WRITE. may_transfer: a word can be taken from the one who writes, or has a place.
    """

    def __init__(self, chip: Chip, clocks: Clocks) -> None:
        if chip.bank_bits < 2:
            raise ValueError("a bank must be left for two rows before it is used again: 4 banks")
        self.chip = chip
        self.clocks = clocks
        request = data.StructLayout(
            {"address": chip.address_bits, "count": chip.address_bits + 1, "write": 1}
        )
        super().__init__(
            {
                "request": In(stream.Signature(request)),
                "accept": In(1),
                "hold": In(1),
                "may_transfer": In(1),
                "active": Out(1),
                "writing": Out(1),
                "transfer": Out(1),
                "may_close": Out(1),
                "command": Out(layout(chip)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """`place` is the bank and row of the words; the row being opened is it, or the next."""
        m = Module()
        chip, clocks = self.chip, self.clocks
        column_bits = chip.column_bits
        place = Signal(chip.bank_bits + chip.row_bits)
        column = Signal(column_bits)
        last_column = Signal(column_bits)
        more = Signal(chip.address_bits + 1 - column_bits)  # rows after this one
        is_open = Signal()

        opening = Signal.like(place)
        wait = Signal(range(max(clocks.rp, clocks.rcd)))
        row_age = Signal(range(clocks.rc + 1))  # counts down from ACTIVATE
        write_age = Signal(range(clocks.wr + 1))  # and from WRITE
        may_precharge = Signal()
        opened = Signal()
        opened_used = Signal()
        row_command = Signal()
        end_of_row, end_of_request = Signal(), Signal()

        m.d.comb += [
            opening.eq(place + is_open),
            # Conservative, of all banks together; tRRD is in it as well.
            may_precharge.eq(row_age <= clocks.rc - clocks.ras),
            self.may_close.eq(may_precharge & (write_age == 0)),
            self.request.ready.eq(~self.active & self.accept),
            end_of_request.eq((more == 0) & (column == last_column)),
            end_of_row.eq(column.all()),
            self.transfer.eq(self.active & is_open & ~row_command & ~self.hold & self.may_transfer),
        ]
        with m.If(row_age != 0):
            m.d.sync += row_age.eq(row_age - 1)
        with m.If(write_age != 0):
            m.d.sync += write_age.eq(write_age - 1)
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)

        with m.FSM():
            with m.State("CLOSED"):
                # The next bank was last written three rows ago, or before this request: then the
                # first row of the request has waited for it.
                allowed = may_precharge & (is_open | (write_age == 0))
                wanted = self.active & (~is_open | (more != 0))
                with m.If(wanted & allowed & ~self.hold):
                    m.d.comb += [row_command.eq(1), self.command.code.eq(Code.PRECHARGE)]
                    m.d.sync += wait.eq(clocks.rp - 1)
                    m.next = "PRECHARGED"
            with m.State("PRECHARGED"):
                with m.If((wait == 0) & (row_age == 0) & ~self.hold):
                    m.d.comb += [
                        row_command.eq(1),
                        self.command.code.eq(Code.ACTIVATE),
                        self.command.address.eq(opening[chip.bank_bits :]),
                    ]
                    m.d.sync += [
                        # The row is used the cycle after it is found opened.
                        wait.eq(max(clocks.rcd - 2, 0)),
                        row_age.eq(clocks.rc - 1),
                    ]
                    m.next = "OPENED"
                with m.If(self.hold):
                    m.next = "CLOSED"
            with m.State("OPENED"):
                m.d.comb += opened.eq(wait == 0)
                with m.If(opened_used | self.hold):
                    m.next = "CLOSED"

        with m.If(self.transfer):
            m.d.comb += [
                self.command.code.eq(Code.READ),
                self.command.address.eq(column),
            ]
            m.d.sync += column.eq(column + 1)
            with m.If(self.writing):
                m.d.comb += self.command.code.eq(Code.WRITE)
                m.d.sync += write_age.eq(clocks.wr - 1)
        banks = slice(chip.bank_bits)
        m.d.comb += self.command.bank.eq(Mux(self.transfer, place[banks], opening[banks]))
        with m.If(self.hold):
            m.d.sync += is_open.eq(0)
        with m.Elif(self.transfer & end_of_request):
            m.d.sync += [self.active.eq(0), is_open.eq(0)]
        with m.Elif(self.transfer & end_of_row):
            m.d.sync += [place.eq(place + 1), more.eq(more - 1), is_open.eq(opened)]
            m.d.comb += opened_used.eq(opened)
        with m.Elif(~is_open & opened):
            m.d.sync += is_open.eq(1)
            m.d.comb += opened_used.eq(1)

        asked = self.request.payload
        with m.If(self.request.valid & self.request.ready):
            m.d.sync += [
                self.active.eq(1),
                self.writing.eq(asked.write),
                Cat(column, place).eq(asked.address),
                Cat(last_column, more).eq(asked.address[:column_bits] + asked.count - 1),
            ]
        return m
