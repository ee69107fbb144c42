"""The part of the link's program that is an I2C master, bit by bit, at 100 kHz.

It knows the bus: open drain, clock stretching, acknowledgement. It does not know what hangs on it.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract import wire
from edge_sdk.firmware_images.contract.wire import Code, Type
from edge_sdk.firmware_images.gateware.link.assembler import NEXT
from edge_sdk.firmware_images.gateware.link.bus import Input, Output, Status
from edge_sdk.firmware_images.gateware.link.macros import Macros

HANDLERS = {Type.I2C: "i2c"}
MOST_BYTES = 16
SCL_LOW, SDA_LOW = 1, 2
"""Bits of Output.I2C; a line that is not pulled low is left to the pull-up or the slave."""


def write(p: Macros) -> None:
    """Add the handler and the bus's operations."""
    _Master(p).write()


class _Master:
    """What the parts of the transfer share."""

    def __init__(self, p: Macros) -> None:
        c = p.code
        self.p, self.c, self.v = p, c, p.layout
        self.address = c.words()
        """Shifted left by nine: the seven bits at the top, the direction below them."""
        self.writes = c.words()
        self.reads = c.words()
        self.index = c.words()
        self.shift = c.words()
        """The byte being sent, in the high half; or bytes received, from the low end."""
        self.bits = c.words()
        self.sda = c.words()
        """0 or SDA_LOW: what the next bit does."""
        self.sampled = c.words()

    def write(self) -> None:
        """The request, then the subroutines below it."""
        self._request()
        self._transfer()
        self._start_or_stop()
        self._byte_out()
        self._bit()
        self._delay()

    def _request(self) -> None:
        c, p, v = self.c, self.p, self.v
        payload, fixed = v.request.payload, wire.REQUESTS[Type.I2C].size
        c.label("i2c")
        c.load(v.request.length)
        c.subtract(fixed)
        c.if_no_carry(Code.BAD_LENGTH.name)
        c.swap(payload)
        c.mask(0xFF)
        c.store(self.writes)
        c.add(fixed)
        c.subtract(v.request.length)
        c.if_nonzero(Code.BAD_LENGTH.name)
        c.load(payload[1])
        c.mask(0xFF)
        c.store(self.reads)
        p.refuse_above(self.reads, MOST_BYTES, Code.BAD_ARGUMENT.name)
        p.refuse_above(self.writes, MOST_BYTES, Code.BAD_ARGUMENT.name)
        c.swap(payload)
        c.mask(0xFF00)
        c.store(self.address)
        c.add(self.address)
        c.if_carry(Code.BAD_ARGUMENT.name)
        c.store(self.address)

    def _transfer(self) -> None:
        """Address and bytes out, if there are any or nothing is to be read; then bytes in.

        A word holds two bytes and the one in its high half goes first, so words are swapped.
        """
        c, v = self.c, self.v
        c.put(0, self.index)
        c.load(self.writes)
        c.if_nonzero("i2c send")
        c.load(self.reads)
        c.if_nonzero("i2c receive")
        c.label("i2c send")
        c.call("i2c start")
        c.put(self.address, self.shift)
        c.call("i2c byte out")
        # The first byte stands alone in a high half, behind the fixed part.
        c.point(v.request.payload.address + wire.REQUESTS[Type.I2C].size // 2)
        c.load(NEXT)
        c.label("i2c word out")
        c.store(self.shift)
        c.label("i2c next out")
        c.load(self.index)
        c.subtract(self.writes)
        c.if_zero("i2c sent")
        c.call("i2c byte out")
        self._count_byte()
        c.if_no_carry("i2c next out")
        c.swap(NEXT)
        c.jump("i2c word out")

        c.label("i2c sent")
        c.load(self.reads)
        c.if_zero("i2c done")
        c.label("i2c receive")
        c.call("i2c start")
        c.load(self.address)
        c.add(0x100)
        c.store(self.shift)
        c.call("i2c byte out")
        c.put(0, self.index)
        c.point(v.reply.payload.address)
        c.label("i2c next in")
        self._byte_in()
        self._count_byte()
        c.if_carry("i2c half in")
        c.swap(self.shift)
        c.store(NEXT)
        c.label("i2c half in")
        c.load(self.index)
        c.subtract(self.reads)
        c.if_nonzero("i2c next in")
        # Of an odd number the last is still in `shift`; of an even one this is behind the end.
        c.put(self.shift, NEXT)
        c.put(self.reads, v.reply.length)

        c.label("i2c done")
        c.call("i2c stop")
        c.jump("reply")

        c.label("i2c not acknowledged")
        c.call("i2c stop")
        c.jump(Code.NO_DEVICE.name)
        c.label("i2c held")
        c.put(0, Output.I2C)
        c.jump(Code.NO_DEVICE.name)

    def _count_byte(self) -> None:
        """index += 1; carry = it is odd now."""
        c = self.c
        c.load(self.index)
        c.add(1)
        c.store(self.index)
        c.halve(self.index)

    def _start_or_stop(self) -> None:
        """SDA moves while SCL is high: down is a start, up a stop."""
        c = self.c
        back = c.subroutine("i2c start")
        c.put(0, self.sda)
        c.call("i2c high")
        c.put(SDA_LOW, Output.I2C)
        c.call("i2c delay")
        c.put(SDA_LOW | SCL_LOW, Output.I2C)
        c.jump_to(back)

        back = c.subroutine("i2c stop")
        c.put(SDA_LOW, self.sda)
        c.call("i2c high")
        c.put(0, Output.I2C)
        c.call("i2c delay")
        c.jump_to(back)

    def _byte_out(self) -> None:
        c = self.c
        back = c.subroutine("i2c byte out")
        c.put(8, self.bits)
        c.label("i2c bit out")
        c.put(0, self.sda)
        c.load(self.shift)
        c.add(self.shift)
        c.store(self.shift)
        c.if_carry("i2c one")
        c.put(SDA_LOW, self.sda)
        c.label("i2c one")
        c.call("i2c bit")
        self.p.count_down(self.bits, "i2c bit out")
        c.put(0, self.sda)
        c.call("i2c bit")
        c.load(self.sampled)
        c.if_nonzero("i2c not acknowledged")
        c.jump_to(back)

    def _byte_in(self) -> None:
        """Acknowledged, unless it is the last one."""
        c = self.c
        c.put(8, self.bits)
        c.put(0, self.sda)
        c.label("i2c bit in")
        c.call("i2c bit")
        c.load(self.shift)
        c.add(self.shift)
        c.store(self.shift)
        c.load(self.sampled)
        c.if_zero("i2c zero")
        c.load(self.shift)
        c.add(1)
        c.store(self.shift)
        c.label("i2c zero")
        self.p.count_down(self.bits, "i2c bit in")
        c.load(self.index)
        c.add(1)
        c.subtract(self.reads)
        c.if_zero("i2c last")
        c.put(SDA_LOW, self.sda)
        c.label("i2c last")
        c.call("i2c bit")

    def _bit(self) -> None:
        """One bit: SDA set while SCL is low, looked at while it is high."""
        c = self.c
        back = c.subroutine("i2c bit")
        c.call("i2c high")
        c.load(Input.STATUS)
        c.mask(1 << Status.SDA)
        c.store(self.sampled)
        c.load(self.sda)
        c.add(SCL_LOW)
        c.store(Output.I2C)
        c.jump_to(back)

        back = c.subroutine("i2c high")
        c.load(self.sda)
        c.add(SCL_LOW)
        c.store(Output.I2C)
        c.call("i2c delay")
        c.put(self.sda, Output.I2C)
        c.put(self.v.settings.patience, self.v.count)
        c.label("i2c stretched")
        self.p.test(Status.SCL)
        c.if_nonzero("i2c risen")
        self.p.count_down(self.v.count, "i2c stretched")
        c.jump("i2c held")
        c.label("i2c risen")
        c.call("i2c delay")
        c.jump_to(back)

    def _delay(self) -> None:
        """Half a bit."""
        c = self.c
        back = c.subroutine("i2c delay")
        c.load(self.v.settings.i2c_turns)
        c.label("i2c wait")
        c.subtract(1)
        c.if_nonzero("i2c wait")
        c.jump_to(back)
