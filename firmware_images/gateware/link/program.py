"""The link's program: takes frames, minds the sequence, hands requests out, sends replies.

It knows the rules of docs/wire-protocol.md that hold for every request; what a request does is in
program_memory.py, program_core.py and program_i2c.py.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract import wire
from edge_sdk.firmware_images.contract.wire import Code, Type
from edge_sdk.firmware_images.gateware.link import program_core, program_i2c, program_memory
from edge_sdk.firmware_images.gateware.link.assembler import NEXT, Label, Word
from edge_sdk.firmware_images.gateware.link.bus import Input, Output, Status
from edge_sdk.firmware_images.gateware.link.layout import Layout, Settings
from edge_sdk.firmware_images.gateware.link.macros import Macros, counter_ports

ANY_LENGTH = 0xFFFF
"""In the table of lengths: the request looks for itself."""
FRAME_EXTRA = 1 + wire.HEADER.size + wire.CRC.size
HANDLERS = {
    Type.HELLO: "hello",
    Type.SET_BAUD: "set baud",
    **program_memory.HANDLERS,
    **program_core.HANDLERS,
    **program_i2c.HANDLERS,
}
OWN_LENGTH = {Type.WRITE, Type.FEED, Type.I2C}


def build(settings: Settings) -> tuple[list[int], list[int]]:
    """The program, and what RAM holds at power-on."""
    layout = Layout(settings)
    p = Macros(layout)
    _start(p)
    _idle(p)
    _frame(p)
    _accepted(p)
    _send(p)
    _refusals(p)
    _hello(p)
    _set_baud(p)
    program_memory.write(p)
    program_core.write(p)
    program_i2c.write(p)
    return p.code.program(), p.code.ram()


def _start(p: Macros) -> None:
    """After power-on or reset: forget everything, wait until memory has been tested."""
    c, v = p.code, p.layout
    zeros = (v.last_reply, v.divisor, v.trial, *v.frames.pair, *v.frame_errors.pair)
    c.put(0, *zeros)
    c.put(0xFFFF, v.last_sequence)
    c.call("forget")
    c.label("wait for memory")
    p.test(Status.MEMORY_READY)
    c.if_nonzero("idle")
    p.since(None)
    p.compare(p.elapsed, p.constant_pair(v.settings.watchdog_cycles))
    c.if_no_carry("wait for memory")


def _idle(p: Macros) -> None:
    """Between frames: a rate that nobody talks at is given up."""
    c, v = p.code, p.layout
    c.label("idle")
    p.test(Status.FRAME_ENDED)
    c.if_nonzero("frame")
    c.load(v.trial)
    c.if_zero("idle")
    p.since(v.trial_start)
    p.compare(p.elapsed, p.constant_pair(v.settings.trial))
    c.if_no_carry("idle")
    c.put(v.settings.default_divisor, Output.DIVISOR)
    c.put(0, v.trial)
    c.jump("idle")


def _frame(p: Macros) -> None:
    """A frame has ended: is it whole, is it the next one, is it the last one again?"""
    c, v = p.code, p.layout
    c.label("frame")
    p.test(Status.FRAME_GOOD)
    c.if_zero("bad frame")
    c.load(Input.FRAME_COUNT)
    c.subtract(FRAME_EXTRA)
    c.if_no_carry("bad frame")
    c.subtract(v.request.length)
    c.if_nonzero("bad frame")

    c.put(0, v.trial)
    p.count_up(v.frames)
    c.put(v.request.sequence, v.reply.sequence, v.gap.sequence)
    c.load(v.request.kind)
    c.subtract(Type.HELLO << 8)
    c.if_zero("accepted")
    c.load(v.last_sequence)
    c.add(1)
    c.store(v.gap.payload[1])
    c.subtract(v.request.sequence)
    c.if_zero("accepted")
    c.subtract(1)
    c.if_nonzero("gap")
    c.load(v.last_reply)
    c.if_nonzero("send")

    c.label("gap")
    c.swap(v.request.kind)
    c.add(Code.BAD_SEQUENCE << 8)
    c.store(v.gap.payload)
    c.load(v.gap.first.address)
    c.jump("send")

    c.label("bad frame")
    p.count_up(v.frame_errors)
    c.jump("next frame")


def _accepted(p: Macros) -> None:
    """This request is executed or refused, and counts."""
    c, v = p.code, p.layout
    last = max(Type)
    requests = {int(t): t for t in Type}
    rows: list[int | Label] = []
    for number in range(last + 1):
        request = requests.get(number)
        if request is None:
            rows += [ANY_LENGTH, Label(Code.UNKNOWN_TYPE.name)]
        else:
            exact = ANY_LENGTH if request in OWN_LENGTH else wire.REQUESTS[request].size
            rows += [exact, Label(HANDLERS[request])]
    table = c.table(rows)

    c.label("accepted")
    c.put(v.request.sequence, v.last_sequence)
    c.put(0, *v.detail.pair, v.reply.length)
    for port, half in zip(counter_ports(wire.Counter.BUSY), v.busy_before.pair, strict=True):
        c.put(port, half)
    c.put(v.reply.first.address, v.last_reply)
    c.load(v.request.kind)
    c.add(wire.REPLY << 8)
    c.store(v.reply.kind)

    c.swap(v.request.kind)
    c.subtract(last + 1)
    c.if_carry(Code.UNKNOWN_TYPE.name)
    c.add(last + 1)
    kind = p.temporary
    c.store(kind)
    c.add(kind)
    c.add(table.address)
    c.set_x()
    c.load(NEXT)
    c.subtract(v.request.length)
    c.if_zero("handle")
    c.add(v.request.length)
    c.subtract(ANY_LENGTH)
    c.if_nonzero(Code.BAD_LENGTH.name)
    c.label("handle")
    c.jump_to(NEXT)


def _send(p: Macros) -> None:
    """`send`: the frame that begins at word A goes out, and the next one comes in."""
    c, v = p.code, p.layout
    c.label("reply")
    c.load(v.last_reply)
    c.label("send")
    c.store(v.sends)
    c.add(2)
    c.set_x()
    c.load(NEXT)
    c.add(v.sends)
    c.add(v.sends)
    c.add(1 + wire.HEADER.size)
    c.store(Output.SEND_END)
    c.load(v.sends)
    c.add(v.sends)
    c.add(1)
    c.store(Output.SEND_FIRST)
    p.wait_while(Status.SENDING)

    c.load(v.divisor)
    c.if_zero("next frame")
    p.wait_until(Status.LINE_IDLE)
    c.put(v.divisor, Output.DIVISOR)
    c.put(0, v.divisor)
    c.put(1, v.trial)
    p.now(v.trial_start)
    c.label("next frame")
    c.put(0, Output.NEXT_FRAME)
    c.jump("idle")


def _refusals(p: Macros) -> None:
    """A label for each code that the link gives; `refuse` takes the code, times 256, in A."""
    c, v = p.code, p.layout
    for code in sorted(set(Code) - {Code.BAD_SEQUENCE, Code.BAD_OPCODE}):
        c.label(code.name)
        c.load(code << 8)
        c.jump("refuse")
    c.label("refuse")
    c.store(p.temporary)
    c.swap(v.request.kind)
    c.add(p.temporary)
    c.store(v.reply.payload)
    c.put(v.detail, v.reply.payload[1])
    c.put(v.detail[1], v.reply.payload[2])
    c.put(wire.REFUSAL.size, v.reply.length)
    c.put(wire.ERROR << 8, v.reply.kind)
    c.jump("reply")


def _hello(p: Macros) -> None:
    c, v = p.code, p.layout
    found = v.hello.payload[4]
    c.label("hello")
    c.put(v.request.sequence, v.hello.sequence)
    c.put(v.hello.first.address, v.last_reply)
    c.put(Input.FOUND_LOW, found)
    c.put(Input.FOUND_HIGH, found[1])
    c.put(v.resident, v.flags)
    p.test(Status.MEMORY_READY)
    c.if_zero("reply")
    c.load(found)
    c.if_nonzero("memory is good")
    c.load(found[1])
    c.if_zero("reply")
    c.label("memory is good")
    c.load(v.flags)
    c.add(1 << wire.HelloFlag.MEMORY_GOOD)
    c.store(v.flags)
    c.jump("reply")


def _set_baud(p: Macros) -> None:
    c, v = p.code, p.layout
    divisor: Word = v.request.payload
    c.label("set baud")
    c.load(divisor)
    c.subtract(p.least_divisor)
    c.if_no_carry(Code.BAD_ARGUMENT.name)
    c.put(divisor, v.divisor)
    c.jump("reply")
