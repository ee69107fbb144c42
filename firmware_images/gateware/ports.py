"""The seams between the parts of the gateware: memory, array, core and link.

It knows signals and their rules; it does not know how either side works.
All is one clock domain, `sync`. Streams are Amaranth's: a payload moves when valid and ready meet,
valid does not wait for ready, and a payload stays as it is until it has moved.
"""

from __future__ import annotations

from amaranth.hdl import signed, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from edge_sdk.firmware_images.contract.geometry import ACCUMULATOR_BITS
from edge_sdk.firmware_images.contract.wire import Counter

HALFWORD_ADDRESS_BITS = 32
"""Of an address in an instruction or a message."""


class MemorySignature(wiring.Signature):
    """A burst port of memory, seen by the one that asks.

    A request names the first word, how many words (at least 1) and the direction; the memory then
    gives, or takes, exactly that many words in order. The next request is taken only after the
    last word of the one before it. Addresses count memory words.

    ready: the memory is initialised and tested; found: how many words it has, 0 if it is bad.
    """

    def __init__(self, memory_bits: int, address_bits: int) -> None:
        request = data.StructLayout(
            {"address": address_bits, "count": address_bits + 1, "write": 1}
        )
        super().__init__(
            {
                "request": Out(stream.Signature(request)),
                "read": In(stream.Signature(unsigned(memory_bits))),
                "write": Out(stream.Signature(unsigned(memory_bits))),
                "ready": In(1),
                "found": In(address_bits + 1),
                "refresh": In(1),
            }
        )


class ArraySignature(wiring.Signature):
    """The ternary array, seen by the core.

    Activations come first: `five` says how they are grouped, one int8 a transfer, `last` with the
    last one; unused places of the last group become 0. Then `start` for one cycle with `columns`,
    `rows` and `five` steady until `busy` falls; the array takes ceil(columns / per word) words a
    row from `words` and gives one exact sum a row, in order. `busy` is high from the cycle after
    `start` until the last sum has moved. `abort` for one cycle forgets everything.
    """

    def __init__(self, memory_bits: int) -> None:
        activation = data.StructLayout({"value": signed(8), "last": 1})
        total = data.StructLayout({"row": 16, "sum": signed(ACCUMULATOR_BITS)})
        super().__init__(
            {
                "five": Out(1),
                "columns": Out(16),
                "rows": Out(16),
                "start": Out(1),
                "abort": Out(1),
                "busy": In(1),
                "activations": Out(stream.Signature(activation)),
                "words": Out(stream.Signature(unsigned(memory_bits))),
                "sums": In(stream.Signature(total)),
            }
        )


class Task(enum.Enum, shape=unsigned(2)):
    """What the link can ask of the core."""

    BODY = 0
    """Run the body program for a token."""
    HEAD = 1
    """Run the head program and keep the best `top_k` sums."""
    EXECUTE = 2
    """Run the one instruction given."""
    CLEAR = 3
    """Set RAM S to zero."""


class CoreSignature(wiring.Signature):
    """The core, seen by the link.

    A task starts when its stream moves, and `done` is high for one cycle at its end, with `code`
    (wire.Code, 0 for good) and `fault` (halfword address of the refused instruction) valid in that
    cycle and after it. Between tasks the link may use the RAM window and memory; during a task it
    must not. `abort` for one cycle ends a task at once, with done and the code WATCHDOG.
    """

    def __init__(self) -> None:
        task = data.StructLayout({"task": Task, "token": 16, "top_k": 7})
        super().__init__(
            {
                "task": Out(stream.Signature(task)),
                "instruction": Out(128),
                "body": Out(HALFWORD_ADDRESS_BITS),
                "head": Out(HALFWORD_ADDRESS_BITS),
                "abort": Out(1),
                "done": In(1),
                "code": In(8),
                "fault": In(HALFWORD_ADDRESS_BITS),
                # The scores of the last HEAD: sum * mantissa / 2**shift.
                "mantissa": In(17),
                "shift": In(6),
                # The list of the last HEAD, in no order; valid one cycle after the index.
                "top_count": In(7),
                "top_index": Out(6),
                "top_row": In(16),
                "top_sum": In(signed(ACCUMULATOR_BITS)),
                # A window into the vector RAMs (geometry.Ram); data two cycles after the address.
                "ram": Out(2),
                "ram_address": Out(16),
                "ram_write": Out(1),
                "ram_write_data": Out(16),
                "ram_read_data": In(16),
                # Of wire.Counter, those that the core counts; the others stay 0.
                "counters": In(data.ArrayLayout(32, len(Counter))),
            }
        )
