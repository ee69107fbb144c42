"""The part of the link's program that has to do with memory: uploads, reads, checks.

It knows what those requests mean; it does not know frames, sequences or the core's programs.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract import isa, wire
from edge_sdk.firmware_images.contract.geometry import Ram
from edge_sdk.firmware_images.contract.wire import Code, Space, Type
from edge_sdk.firmware_images.gateware.link.assembler import NEXT
from edge_sdk.firmware_images.gateware.link.bus import Input, Output, Status
from edge_sdk.firmware_images.gateware.link.macros import Macros
from edge_sdk.firmware_images.gateware.link.memory_port import MAX_BURST
from edge_sdk.firmware_images.gateware.ports import Task

HANDLERS = {
    Type.LOAD_BEGIN: "load begin",
    Type.WRITE: "write",
    Type.READ: "read",
    Type.CHECK: "check",
    Type.LOAD_COMMIT: "load commit",
}
SHA_WORDS = 16


def write(p: Macros) -> None:
    """Add these handlers and what they share."""
    _load_begin(p)
    _write(p)
    _read(p)
    _check(p)
    _load_commit(p)
    _operand(p)
    _bounds(p)
    _sum(p)


def _load_begin(p: Macros) -> None:
    c, v = p.code, p.layout
    c.label("load begin")
    c.call("forget")
    p.copy(v.request.payload, v.announced, SHA_WORDS)
    c.jump("reply")

    back = c.subroutine("forget")
    c.put(0, v.resident, *v.position.pair)
    c.put(SHA_WORDS, v.count)
    c.point(v.sha.address)
    c.label("forget word")
    c.put(0, NEXT)
    p.count_down(v.count, "forget word")
    c.jump_to(back)


def _operand(p: Macros) -> None:
    """Which space a READ or WRITE means, where in it, and that `count` elements are there.

    Leaves `space` 0 for memory; else the RAM is selected.
    """
    c, v = p.code, p.layout
    geometry = v.settings.geometry
    depths = c.table([geometry.depth(ram) for ram in Ram])
    back = c.subroutine("operand")
    c.put(0, v.count[1])
    p.copy(v.request.payload[1], v.address)
    c.put(v.request.payload, v.space)
    c.if_nonzero("in ram")
    c.call("in memory")
    c.jump_to(back)

    c.label("in ram")
    c.subtract(Space.RAM_X)
    c.if_no_carry(Code.BAD_ARGUMENT.name)
    c.store(Output.RAM)
    c.store(p.temporary)
    c.subtract(len(Ram))
    c.if_carry(Code.BAD_ARGUMENT.name)
    c.load(p.temporary)
    c.add(depths.address)
    c.set_x()
    c.put(NEXT, v.limit)
    c.put(0, v.limit[1])
    c.call("bounds")
    c.jump_to(back)


def _bounds(p: Macros) -> None:
    """BAD_ADDRESS unless there are `count` elements from `address` on, and at least one."""
    c, v = p.code, p.layout
    halfwords = v.settings.geometry.halfwords_per_word
    back = c.subroutine("in memory")
    for half in (v.address, v.count) if halfwords > 1 else ():
        c.load(half)
        c.mask(halfwords - 1)
        c.if_nonzero(Code.BAD_ADDRESS.name)
    c.load(v.count)
    c.if_nonzero("not empty")
    c.load(v.count[1])
    c.if_zero(Code.BAD_ADDRESS.name)
    c.label("not empty")
    c.put(Input.FOUND_LOW, v.limit)
    c.put(Input.FOUND_HIGH, v.limit[1])
    c.put(v.address, Output.MEMORY_LOW)
    c.put(v.address[1], Output.MEMORY_HIGH)
    c.call("bounds")
    c.jump_to(back)

    back = c.subroutine("bounds")
    p.add(p.elapsed, v.address, v.count)
    c.if_carry(Code.BAD_ADDRESS.name)
    p.compare(v.limit, p.elapsed)
    c.if_no_carry(Code.BAD_ADDRESS.name)
    c.jump_to(back)


def _write(p: Macros) -> None:
    c, v = p.code, p.layout
    fixed = wire.REQUESTS[Type.WRITE].size
    c.label("write")
    c.load(v.request.length)
    c.subtract(fixed + 2)
    c.if_no_carry(Code.BAD_LENGTH.name)
    c.subtract(wire.MAX_DATA - 1)
    c.if_carry(Code.BAD_LENGTH.name)
    c.load(v.request.length)
    c.subtract(fixed)
    c.store(p.temporary)
    c.halve(p.temporary)
    c.if_carry(Code.BAD_LENGTH.name)
    c.store(v.count)
    c.call("operand")
    c.load(v.space)
    c.if_nonzero("write ram")

    c.load(v.resident)
    c.if_nonzero(Code.BAD_ARGUMENT.name)
    c.put(v.count, Output.WRITE_MEMORY)
    c.point(v.request.payload.address + fixed // 2)
    c.label("write memory word")
    c.put(NEXT, Output.MEMORY_DATA)
    p.count_down(v.count, "write memory word")
    c.jump("reply")

    c.label("write ram")
    c.point(v.request.payload.address + fixed // 2)
    c.label("write ram word")
    c.put(v.address, Output.ARGUMENT)
    c.put(NEXT, Output.RAM_DATA)
    p.next_element()
    p.count_down(v.count, "write ram word")
    c.jump("reply")


def _read(p: Macros) -> None:
    c, v = p.code, p.layout
    c.label("read")
    c.put(v.request.payload[3], v.count)
    c.if_zero(Code.BAD_LENGTH.name)
    p.refuse_above(v.count, wire.MAX_DATA // 2, Code.BAD_LENGTH.name)
    c.call("operand")
    c.load(v.count)
    c.add(v.count)
    c.store(v.reply.length)
    c.load(v.space)
    c.if_nonzero("read ram")

    c.put(v.count, Output.READ_MEMORY)
    c.point(v.reply.payload.address)
    c.label("read memory word")
    c.put(Input.MEMORY_DATA, NEXT)
    p.count_down(v.count, "read memory word")
    c.jump("reply")

    c.label("read ram")
    c.point(v.reply.payload.address)
    c.label("read ram word")
    c.put(v.address, Output.ARGUMENT)
    p.next_element()
    c.put(Input.RAM_DATA, NEXT)
    p.count_down(v.count, "read ram word")
    c.jump("reply")


def _sum(p: Macros) -> None:
    """CRC-32 of `count` halfwords from `address`; both are used up."""
    c, v = p.code, p.layout
    part = c.words(2)
    back = c.subroutine("sum")
    c.put(0, Output.CLEAR_CRC, part[1])
    c.label("sum part")
    c.put(MAX_BURST, part)
    p.compare(v.count, part)
    c.if_carry("sum burst")
    c.put(v.count, part)
    c.if_zero("sum done")
    c.label("sum burst")
    c.put(v.address, Output.MEMORY_LOW)
    c.put(v.address[1], Output.MEMORY_HIGH)
    c.put(part, Output.CRC_MEMORY)
    p.add(v.address, v.address, part)
    p.subtract(v.count, v.count, part)
    p.wait_while(Status.MEMORY_BUSY)
    c.jump("sum part")
    c.label("sum done")
    c.jump_to(back)


def _check(p: Macros) -> None:
    c, v = p.code, p.layout
    c.label("check")
    p.copy(v.request.payload, v.address)
    p.copy(v.request.payload[2], v.count)
    c.call("in memory")
    c.call("sum")
    c.put(Input.CRC_LOW, v.reply.payload)
    c.put(Input.CRC_HIGH, v.reply.payload[1])
    c.put(wire.REPLIES[Type.CHECK].size, v.reply.length)
    c.jump("reply")


def _load_commit(p: Macros) -> None:
    c, v = p.code, p.layout
    size, crc, sha = v.request.payload, v.request.payload[2], v.request.payload[4]
    boot = c.words(isa.INSTRUCTION_HALFWORDS)
    bad = Code.BAD_IMAGE.name
    c.label("load commit")
    p.copy(size, v.count)
    c.put(0, *v.address.pair)
    c.call("in memory")
    p.compare(v.count, p.constant_pair(isa.INSTRUCTION_HALFWORDS))
    c.if_no_carry(bad)
    for i in range(SHA_WORDS):
        c.load(sha[i])
        c.subtract(v.announced[i])
        c.if_nonzero(bad)
    c.call("sum")
    for port, half in ((Input.CRC_LOW, crc), (Input.CRC_HIGH, crc[1])):
        c.load(port)
        c.subtract(half)
        c.if_nonzero(bad)

    c.put(0, Output.MEMORY_LOW, Output.MEMORY_HIGH)
    c.put(isa.INSTRUCTION_HALFWORDS, Output.READ_MEMORY)
    c.put(isa.INSTRUCTION_HALFWORDS, v.count)
    c.point(boot.address)
    c.label("boot word")
    c.put(Input.MEMORY_DATA, NEXT)
    p.count_down(v.count, "boot word")
    vocabulary, state, body, head = boot[1], boot[2], boot[4], boot[6]
    for half, right in ((boot, isa.Op.BOOT), (boot[3], isa.VERSION)):
        c.load(half)
        c.subtract(int(right))
        c.if_nonzero(bad)
    p.refuse_above(state, v.settings.geometry.s_depth, bad)
    for start in (body, head):
        c.load(start)
        c.mask(isa.INSTRUCTION_HALFWORDS - 1)
        c.if_nonzero(bad)
        p.compare(start, size)
        c.if_carry(bad)

    p.run(Task.CLEAR)
    c.put(vocabulary, v.vocabulary)
    p.copy(body, v.body)
    p.copy(head, v.head)
    p.copy(sha, v.sha, SHA_WORDS)
    c.put(0, *v.position.pair)
    c.put(1 << wire.HelloFlag.RESIDENT, v.resident)
    c.jump("reply")
