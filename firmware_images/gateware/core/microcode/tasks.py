"""Tasks of the link, the way from one instruction to the next, and refusals.

It knows programs of instructions; it does not know what one instruction does.
"""

from __future__ import annotations

from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import ALLOWED_FLAGS, INSTRUCTION_HALFWORDS, Op
from edge_sdk.firmware_images.contract.wire import Code
from edge_sdk.firmware_images.gateware.core.assembler import Assembler, Register
from edge_sdk.firmware_images.gateware.core.control import (
    ABORTED,
    BUSY,
    Alu,
    Condition,
    Event,
    Inlet,
    Outlet,
)
from edge_sdk.firmware_images.gateware.core.microcode.checks import ZERO_BAD
from edge_sdk.firmware_images.gateware.core.microcode.registers import (
    BLOCK,
    COLUMNS,
    DEPTHS,
    EXPONENT,
    HALF_SHIFT,
    LARGEST,
    LAST,
    OP,
    PC,
    PC_HIGH,
    RATIO,
    ROOT,
    SQUARES,
    T0,
    T1,
    T5,
    mode,
)

RETURNS = 16
"""Where the table of opcodes goes on as the table of returns."""
RETURN_LABELS = ["epsilon", "shifted", "normal", "drain", "pop", "norm_pass"]
_INSTRUCTION = [Register(i) for i in range(INSTRUCTION_HALFWORDS)]
_BEYOND, _NO_PROGRAM = 1, 2
"""In the lowest bits of PC, which are zero in an address: it is beyond memory; nothing follows."""


def returns(name: str) -> int:
    """What T5 must hold for a routine to go on at `name`."""
    return RETURNS + RETURN_LABELS.index(name)


def write(a: Assembler, geometry: Geometry) -> None:
    """Everything around an instruction."""
    _power_on(a, geometry)
    _wait(a)
    _program(a, geometry)
    _fetch(a)
    _pop(a)
    _decode(a)
    _end(a)
    _clear(a, geometry)


def _power_on(a: Assembler, geometry: Geometry) -> None:
    a.put(Outlet.STOP, 0)
    a.load(Inlet.TASK)
    a.mask(ABORTED)
    a.load(0, when=(Condition.ZERO, "begin"))
    a.load(0, wait=Event.ASKED)
    a.load(0, wait=Event.QUIET)
    a.put(Outlet.DONE, Code.WATCHDOG)
    a.label("begin")
    for ram in Ram:
        a.copy(DEPTHS[ram], geometry.depth(ram))
    a.copy(ROOT, 1 << 15)
    for register in (HALF_SHIFT, EXPONENT, LARGEST, BLOCK, *SQUARES, RATIO, COLUMNS):
        a.copy(register, 0)


def _wait(a: Assembler) -> None:
    a.label("wait")
    a.load(0, wait=Event.TASK)
    a.put(Outlet.ACCEPT, 0)
    a.pause()
    a.pause()
    a.load(Inlet.TASK)
    a.mask(BUSY)
    # It may have been taken back before it moved.
    a.load(Inlet.TASK, when=(Condition.ZERO, "wait"))
    a.mask(3)
    a.subtract(1, when=(Condition.ZERO, "program"))
    a.subtract(1, when=(Condition.ZERO, "program"))
    a.load(0, unless=(Condition.ZERO, "clear"))
    for index, register in enumerate(_INSTRUCTION):
        a.copy(register, Inlet(Inlet.INSTRUCTION0 + index))
    a.copy(PC, _NO_PROGRAM)
    a.copy(PC_HIGH, 0)
    a.put(Outlet.RAMS, LAST, when=(Condition.ALWAYS, "decode"))


def _program(a: Assembler, geometry: Geometry) -> None:
    a.label("program")
    a.put(Outlet.TOP, 0)
    a.copy(PC_HIGH, Inlet.START_HIGH)
    a.load(Inlet.START_LOW, to=PC)
    a.mask(max(INSTRUCTION_HALFWORDS, geometry.halfwords_per_word) - 1)
    a.load(PC, unless=(Condition.ZERO, "unaligned"))
    a.copy(T5, returns("pop"), when=(Condition.ALWAYS, "ask"))
    a.label("unaligned")
    a.put(Outlet.FAULT_LOW, PC, when=(Condition.ALWAYS, "refuse"))


def _fetch(a: Assembler) -> None:
    """Once its pass has begun, an instruction asks for the next one, which comes after its own
    words; then, at "drain", it only has to wait for its end.
    """
    a.label("rest")
    a.copy(T5, returns("drain"))
    a.label("ahead")
    a.load(PC)
    a.mask(_NO_PROGRAM)
    a.load(PC, unless=(Condition.ZERO, "return"))
    a.add(INSTRUCTION_HALFWORDS, to=PC)
    a.load(PC_HIGH)
    a.do(Alu.ADD_CARRY, 0, to=PC_HIGH)
    a.label("ask")
    a.load(PC, out=Outlet.ADDRESS_LOW, wait=Event.ASKED)
    a.add(INSTRUCTION_HALFWORDS, to=T0)
    a.load(PC_HIGH, out=Outlet.ADDRESS_HIGH)
    a.do(Alu.ADD_CARRY, 0, to=T1)
    a.load(Inlet.FOUND_LOW)
    a.subtract(T0)
    a.load(Inlet.FOUND_HIGH)
    a.do(Alu.SUBTRACT_BORROW, T1)
    a.put(Outlet.COUNT_LOW, INSTRUCTION_HALFWORDS, when=(Condition.CARRY, "beyond"))
    a.put(Outlet.COUNT_HIGH, 0)
    a.put(Outlet.READ, 0)
    a.label("return")
    a.load(T5)
    a.load(0, indexed=True, when=(Condition.ALWAYS, "table"))
    a.label("beyond")
    a.load(PC)
    a.add(_BEYOND, to=PC, when=(Condition.ALWAYS, "return"))


def _pop(a: Assembler) -> None:
    a.label("drain")
    a.load(0, wait=Event.IDLE)
    a.label("pop")
    a.load(PC)
    a.mask(_BEYOND | _NO_PROGRAM)
    a.load(PC, unless=(Condition.ZERO, "ended"))
    for register in _INSTRUCTION[:-1]:
        a.copy(register, Inlet.MEMORY, wait=Event.MEMORY)
    a.load(Inlet.MEMORY, to=LAST, out=Outlet.RAMS, wait=Event.MEMORY)


def _decode(a: Assembler) -> None:
    """Jump through a table; there A becomes the flags that the instruction must not have."""
    a.label("decode")
    a.load(OP)
    a.mask(0xF0)
    a.load(OP, unless=ZERO_BAD)
    a.load(0, keep=True, indexed=True, when=(Condition.ALWAYS, "table"))
    a.align(32)
    a.label("table")
    for number in range(RETURNS):
        if number in ALLOWED_FLAGS:
            op = Op(number)
            a.mask(0xFF00 & ~(ALLOWED_FLAGS[op] << 8), when=(Condition.ALWAYS, op.name))
        else:
            a.jump("bad")
    for name in RETURN_LABELS:
        a.jump(name)


def _end(a: Assembler) -> None:
    a.label("ended")
    a.mask(_BEYOND)
    a.load(0, unless=ZERO_BAD)
    a.jump("done")
    a.label(Op.HALT.name)
    a.load(0, unless=ZERO_BAD)
    a.label("done")
    a.put(Outlet.DONE, 0, when=(Condition.ALWAYS, "wait"))
    a.label("bad")
    a.load(PC)
    a.mask(-INSTRUCTION_HALFWORDS, out=Outlet.FAULT_LOW)
    a.label("refuse")
    a.put(Outlet.FAULT_HIGH, PC_HIGH)
    a.put(Outlet.DONE, Code.BAD_OPCODE, when=(Condition.ALWAYS, "wait"))


def _clear(a: Assembler, geometry: Geometry) -> None:
    """Zeros are results too: of a scale of nothing."""
    a.label("clear")
    a.copy(PC, _NO_PROGRAM)
    a.put(Outlet.RAMS, Ram.S)
    a.put(Outlet.TARGET, 0)
    a.put(Outlet.SCALE, 0)
    a.put(Outlet.LAST, geometry.depth(Ram.S) - 1)
    a.put(Outlet.MODE, mode(scale=1, store=1))
    a.put(Outlet.PASS, 0)
    a.jump("rest")
