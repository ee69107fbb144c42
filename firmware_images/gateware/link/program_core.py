"""The part of the link's program that lets the core work: tokens, single instructions, counters.

It knows tasks and their results; it does not know frames, or what a program computes.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract import isa, wire
from edge_sdk.firmware_images.contract.geometry import MAX_TOP_K
from edge_sdk.firmware_images.contract.wire import Code, Type
from edge_sdk.firmware_images.gateware.link.assembler import NEXT
from edge_sdk.firmware_images.gateware.link.bus import (
    CORE_COUNTERS,
    Input,
    Output,
    Status,
)
from edge_sdk.firmware_images.gateware.link.macros import Macros, counter_ports
from edge_sdk.firmware_images.gateware.ports import Task

HANDLERS = {
    Type.RESET: "reset",
    Type.FEED: "feed",
    Type.SEEK: "seek",
    Type.EXECUTE: "execute",
    Type.COUNTERS: "counters",
}


def write(p: Macros) -> None:
    """Add these handlers and what they share."""
    _reset(p)
    _seek(p)
    _execute(p)
    _feed(p)
    _scores(p)
    _counters(p)
    _run(p)
    _flush(p)


def _needs_model(p: Macros) -> None:
    p.code.load(p.layout.resident)
    p.code.if_zero(Code.NO_MODEL.name)


def _reset(p: Macros) -> None:
    c, v = p.code, p.layout
    c.label("reset")
    _needs_model(p)
    p.run(Task.CLEAR)
    c.put(0, *v.position.pair)
    c.jump("reply")


def _seek(p: Macros) -> None:
    c, v = p.code, p.layout
    c.label("seek")
    _needs_model(p)
    p.copy(v.request.payload, v.position)
    c.jump("reply")


def _execute(p: Macros) -> None:
    c, v = p.code, p.layout
    c.label("execute")
    c.put(isa.INSTRUCTION_HALFWORDS, v.count)
    c.point(v.request.payload.address)
    c.label("execute word")
    c.put(NEXT, Output.WORD)
    p.count_down(v.count, "execute word")
    p.run(Task.EXECUTE)
    p.busy_since_accepted(v.reply.payload)
    c.put(wire.REPLIES[Type.EXECUTE].size, v.reply.length)
    c.jump("reply")


def _feed(p: Macros) -> None:
    """All is checked before the first token runs."""
    c, v = p.code, p.layout
    before, top_k, count = v.request.payload, v.request.payload[2], v.request.payload[3]
    fixed = wire.REQUESTS[Type.FEED].size
    tokens = v.request.payload.address + fixed // 2
    left = c.words(2)
    c.label("feed")
    c.load(v.request.length)
    c.subtract(fixed)
    c.if_no_carry(Code.BAD_LENGTH.name)
    c.subtract(count)
    c.subtract(count)
    c.if_nonzero(Code.BAD_LENGTH.name)
    c.load(count)
    c.if_zero(Code.BAD_LENGTH.name)
    p.refuse_above(count, wire.MAX_FEED, Code.BAD_LENGTH.name)
    _needs_model(p)
    p.refuse_above(top_k, MAX_TOP_K, Code.BAD_ARGUMENT.name)
    p.copy(v.position, v.detail)
    for i in range(2):
        c.load(before[i])
        c.subtract(v.position[i])
        c.if_nonzero(Code.BAD_POSITION.name)
    c.put(0, *v.detail.pair)

    c.put(count, left)
    c.point(tokens)
    c.label("feed check")
    c.load(NEXT)
    c.subtract(v.vocabulary)
    c.if_carry(Code.BAD_TOKEN.name)
    p.count_down(left, "feed check")

    c.put(count, left)
    c.put(0, left[1])
    c.point(tokens)
    c.label("feed token")
    c.put(NEXT, Output.ARGUMENT)
    c.put(v.body, Output.WORD)
    c.put(v.body[1], Output.WORD)
    p.run(Task.BODY)
    p.count_down(left, "feed token")

    c.put(0, *(v.reply.payload[i] for i in range(4, 8)))
    c.put(wire.REPLIES[Type.FEED].size, v.reply.length)
    c.put(top_k, Output.TOP_K)
    c.if_zero("feed done")
    c.put(v.head, Output.WORD)
    c.put(v.head[1], Output.WORD)
    p.run(Task.HEAD)
    c.call("scores")
    c.label("feed done")
    c.put(count, left)
    p.add(v.position, v.position, left)
    p.copy(v.position, v.reply.payload)
    p.busy_since_accepted(v.reply.payload[2])
    c.jump("reply")


def _scores(p: Macros) -> None:
    """The list of the last HEAD, and the scale that goes with it."""
    c, v = p.code, p.layout
    fixed = v.reply.payload[4]
    count, index = fixed[3], c.words()
    back = c.subroutine("scores")
    c.put(Input.MANTISSA_LOW, fixed)
    c.put(Input.MANTISSA_HIGH, fixed[1])
    c.put(Input.SHIFT, fixed[2])
    c.put(0, index)
    c.point(count[1].address)
    c.put(Input.TOP_COUNT, count)
    c.if_zero("no scores")
    c.label("score")
    c.put(index, Output.ARGUMENT)
    c.add(1)
    c.store(index)
    c.put(Input.TOP_ROW, NEXT)
    c.put(Input.TOP_SUM_LOW, NEXT)
    c.put(Input.TOP_SUM_HIGH, NEXT)
    c.load(v.reply.length)
    c.add(wire.TOP_ENTRY.size)
    c.store(v.reply.length)
    c.load(index)
    c.subtract(count)
    c.if_nonzero("score")
    c.label("no scores")
    c.jump_to(back)


def _counters(p: Macros) -> None:
    c, v = p.code, p.layout
    place = v.reply.payload
    c.label("counters")
    p.now(place)
    for counter in CORE_COUNTERS:
        for port, half in zip(counter_ports(counter), place[2 * counter].pair, strict=True):
            c.put(port, half)
    p.copy(v.frames, place[2 * wire.Counter.FRAMES])
    p.copy(v.frame_errors, place[2 * wire.Counter.FRAME_ERRORS])
    c.put(wire.REPLIES[Type.COUNTERS].size, v.reply.length)
    c.jump("reply")


def _run(p: Macros) -> None:
    """`task`, to its end or the watchdog's.

    It comes back only if all is well; else it goes on at the refusal.
    """
    c, v = p.code, p.layout
    start = c.words(2)
    back = c.subroutine("run")
    c.put(v.task, Output.TASK)
    p.now(start)
    c.label("run on")
    p.since(start)
    p.test(Status.TASK_RUNS)
    c.if_zero("run ended")
    p.compare(p.elapsed, p.constant_pair(v.settings.watchdog_cycles))
    c.if_no_carry("run on")
    c.put(0, Output.ABORT)
    c.put(v.settings.patience, v.count)
    c.label("run broken off")
    p.test(Status.TASK_RUNS)
    c.if_zero("run over")
    p.count_down(v.count, "run broken off")
    c.label("run over")
    c.put(0, Output.RELEASE)
    c.call("flush")
    c.jump(Code.WATCHDOG.name)

    c.label("run ended")
    c.load(Input.CODE)
    c.if_zero("run was good")
    c.put(Input.FAULT_LOW, v.detail)
    c.put(Input.FAULT_HIGH, v.detail[1])
    c.load(Input.CODE)
    c.jump("refuse")
    c.label("run was good")
    c.jump_to(back)


def _flush(p: Macros) -> None:
    """One word of memory: it comes after whatever is left of a burst that was broken off.

    Memory that does not answer is not waited for.
    """
    c, v = p.code, p.layout
    back = c.subroutine("flush")
    c.put(0, Output.MEMORY_LOW, Output.MEMORY_HIGH)
    halfwords = v.settings.geometry.halfwords_per_word
    c.put(halfwords, Output.READ_MEMORY)
    c.put(v.settings.patience, v.count)
    c.label("flush on")
    p.test(Status.MEMORY_VALID)
    c.if_nonzero("flushed")
    p.count_down(v.count, "flush on")
    c.jump_to(back)
    c.label("flushed")
    for _ in range(halfwords):
        c.load(Input.MEMORY_DATA)
    c.jump_to(back)
