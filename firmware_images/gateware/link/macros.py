"""What several parts of the link's program do: pairs of words, times, waits, bounds.

It knows the assembler and the layout; it does not know requests.
"""

from __future__ import annotations

from typing import Any

from edge_sdk.firmware_images.contract.wire import Counter
from edge_sdk.firmware_images.gateware.link.assembler import Operand, Port, Word
from edge_sdk.firmware_images.gateware.link.bus import CORE_COUNTERS, Input, Status
from edge_sdk.firmware_images.gateware.link.layout import Layout
from edge_sdk.firmware_images.gateware.link.uart import MIN_DIVISOR


def counter_ports(counter: Counter) -> tuple[Port, Port]:
    """Low and high half of one that the core counts."""
    first = Input.COUNTER + 2 * CORE_COUNTERS.index(counter)
    return Port(first), Port(first + 1)


class Macros:
    """An assembler with longer words. A pair is two words, the low half first."""

    least_divisor = MIN_DIVISOR

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.code = layout.code
        self.temporary = self.code.words()
        """Nobody relies on it for longer than a few instructions."""
        self.elapsed = self.code.words(2)

    def constant_pair(self, value: int) -> Word:
        """Two words that hold `value`."""
        return self.code.table([value & 0xFFFF, value >> 16])

    def copy(self, source: Word, target: Word, words: int = 2) -> None:
        """`words` words, one after the other."""
        for i in range(words):
            self.code.put(source[i], target[i])

    def add(self, target: Word, one: Word, other: Word) -> None:
        """target = one + other; the carry is that of the sum."""
        c = self.code
        c.load(one)
        c.add(other)
        c.store(target)
        c.load(one[1])
        c.add(other[1], carry=True)
        c.store(target[1])

    def subtract(self, target: Word, one: Word, other: Word) -> None:
        """target = one - other."""
        c = self.code
        c.load(one)
        c.subtract(other)
        c.store(target)
        c.load(one[1])
        c.subtract(other[1], carry=True)
        c.store(target[1])

    def compare(self, one: Word, other: Word) -> None:
        """Carry = one >= other."""
        c = self.code
        c.load(one)
        c.subtract(other)
        c.load(one[1])
        c.subtract(other[1], carry=True)

    def count_up(self, pair: Word) -> None:
        """pair += 1."""
        c = self.code
        c.load(pair)
        c.add(1)
        c.store(pair)
        c.load(pair[1])
        c.add(0, carry=True)
        c.store(pair[1])

    def next_element(self) -> None:
        """address += 1, within a RAM."""
        c = self.code
        c.load(self.layout.address)
        c.add(1)
        c.store(self.layout.address)

    def count_down(self, word: Word, again: str) -> None:
        """word -= 1; go on at `again` unless that gave 0."""
        c = self.code
        c.load(word)
        c.subtract(1)
        c.store(word)
        c.if_nonzero(again)

    def now(self, pair: Word) -> None:
        """pair = the cycle counter."""
        self.code.put(Input.CYCLES_LOW, pair)
        self.code.put(Input.CYCLES_HIGH, pair[1])

    def since(self, start: Word | None) -> None:
        """elapsed = cycles since `start`, or since reset."""
        self.now(self.elapsed)
        if start is not None:
            self.subtract(self.elapsed, self.elapsed, start)

    def test(self, bit: Status) -> None:
        """A = 0 if that bit of the status is 0."""
        self.code.load(Input.STATUS)
        self.code.mask(1 << bit)

    def wait_while(self, bit: Status) -> None:
        """Go round until `bit` is 0."""
        again = self.code.new_label(f"while {bit.name}")
        self.code.label(again)
        self.test(bit)
        self.code.if_nonzero(again)

    def wait_until(self, bit: Status) -> None:
        """Go round until `bit` is 1."""
        again = self.code.new_label(f"until {bit.name}")
        self.code.label(again)
        self.test(bit)
        self.code.if_zero(again)

    def busy_since_accepted(self, target: Word) -> None:
        """target = cycles in which this request had the core run."""
        for i, port in enumerate(counter_ports(Counter.BUSY)):
            self.code.load(port)
            self.code.subtract(self.layout.busy_before[i], carry=bool(i))
            self.code.store(target[i])

    def run(self, task: Any) -> None:
        """The core does `task` (ports.Task); goes on at a refusal if it fails."""
        self.code.put(task.value, self.layout.task)
        self.code.call("run")

    def refuse_above(self, value: Operand, most: int, refusal: str) -> None:
        """Go on at `refusal` if value > most; A is lost."""
        self.code.load(value)
        self.code.subtract(most + 1)
        self.code.if_carry(refusal)
