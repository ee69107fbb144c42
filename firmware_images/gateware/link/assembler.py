"""Writes programs for the link's processor: labels, variables, constants, tables.

It knows encodings; it does not know what a program is for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_sdk.firmware_images.gateware.link.bus import Input, Output
from edge_sdk.firmware_images.gateware.link.processor import (
    OPERAND_BITS,
    Control,
    Function,
    Source,
)

IMMEDIATE_LIMIT = 1 << OPERAND_BITS


@dataclass(frozen=True)
class Word:
    """A word of RAM; `word[1]` is the one after it, which holds the high half of a pair."""

    address: int

    def __getitem__(self, index: int) -> Word:
        return Word(self.address + index)

    @property
    def pair(self) -> tuple[Word, Word]:
        """This word and the next."""
        return self, self[1]


@dataclass(frozen=True)
class Label:
    """A place in the program, as a number to load."""

    name: str


@dataclass(frozen=True)
class Port:
    """An input by its number."""

    number: int


class Next:
    """The RAM word at X, which then goes up by one."""


NEXT = Next()
Operand = int | Word | Label | Next | Port | Input


@dataclass
class Assembler:
    """Collects instructions; what an operand is decides how it is reached.

    An int is an immediate, or a constant in RAM if it is too large; a Word is read from RAM; NEXT
    reads at X; an Input reads a port; a Label is the number of an instruction.
    RAM from `free` on is given to variables, tables and constants.
    """

    free: int
    initial: dict[int, int | Label] = field(default_factory=dict)
    """What RAM holds at power-on."""
    _code: list[tuple[int, int | Label]] = field(default_factory=list)
    _labels: dict[str, int] = field(default_factory=dict)
    _constants: dict[int, Word] = field(default_factory=dict)

    # Data.

    def words(self, count: int = 1) -> Word:
        """`count` words of RAM, zero at power-on."""
        first = Word(self.free)
        self.free += count
        return first

    def table(self, values: list[int | Label]) -> Word:
        """Words that the program does not write."""
        first = self.words(len(values))
        self.initial.update({first.address + i: value for i, value in enumerate(values)})
        return first

    def constant(self, value: int) -> Word:
        """A word that holds `value`; equal ones share it."""
        if value not in self._constants:
            self._constants[value] = self.table([value])
        return self._constants[value]

    # Code.

    def label(self, name: str) -> None:
        """The next instruction is called `name`."""
        if name in self._labels:
            raise ValueError(f"label {name} stands twice")
        self._labels[name] = len(self._code)

    def new_label(self, hint: str) -> str:
        """A name that nobody else uses."""
        return f"{hint}:{len(self._code)}"

    def load(self, operand: Operand) -> None:
        """A = operand."""
        self._compute(Function.LOAD, operand)

    def swap(self, operand: Operand) -> None:
        """A = operand with its bytes exchanged."""
        self._compute(Function.SWAP, operand)

    def mask(self, operand: Operand) -> None:
        """A &= operand."""
        self._compute(Function.AND, operand)

    def halve(self, operand: Operand) -> None:
        """A = operand >> 1; carry = the bit that fell out."""
        self._compute(Function.HALVE, operand)

    def add(self, operand: Operand, *, carry: bool = False) -> None:
        """A += operand, and the carry if asked."""
        self._compute(Function.ADD_CARRY if carry else Function.ADD, operand)

    def subtract(self, operand: Operand, *, carry: bool = False) -> None:
        """A -= operand; carry = A was not below it. With `carry`, the high half of a pair."""
        self._compute(Function.SUBTRACT_CARRY if carry else Function.SUBTRACT, operand)

    def store(self, place: Word | Next | Output) -> None:
        """Word, RAM at X, or port = A."""
        if isinstance(place, Output):
            self._code.append((Control.STORE + Source.PORT, int(place)))
        elif isinstance(place, Word):
            self._code.append((Control.STORE + Source.DIRECT, place.address))
        else:
            self._code.append((Control.STORE + Source.NEXT, 0))

    def put(self, operand: Operand, *places: Word | Next | Output) -> None:
        """Each of `places` = operand, through A."""
        self.load(operand)
        for place in places:
            self.store(place)

    def point(self, operand: Operand) -> None:
        """X = operand, through A."""
        self.load(operand)
        self.set_x()

    def set_x(self) -> None:
        """X = A."""
        self._code.append((Control.SET_X, 0))

    def jump(self, name: str) -> None:
        """Go on at `name`."""
        self._code.append((Control.JUMP, Label(name)))

    def if_zero(self, name: str) -> None:
        """Go on at `name` if A = 0."""
        self._code.append((Control.JUMP_ZERO, Label(name)))

    def if_nonzero(self, name: str) -> None:
        """Go on at `name` if A != 0."""
        self._code.append((Control.JUMP_NONZERO, Label(name)))

    def if_carry(self, name: str) -> None:
        """Go on at `name` if the carry is set: after `subtract`, if A was not below."""
        self._code.append((Control.JUMP_CARRY, Label(name)))

    def if_no_carry(self, name: str) -> None:
        """Go on at `name` if the carry is clear: after `subtract`, if A was below."""
        self._code.append((Control.JUMP_NO_CARRY, Label(name)))

    def jump_to(self, operand: Operand) -> None:
        """Go on at the instruction that `operand` numbers."""
        self.load(operand)
        self._code.append((Control.JUMP_TO_A, 0))

    def call(self, name: str) -> None:
        """Run the subroutine `name`; it finds where to return to in A."""
        back = self.new_label(f"after {name}")
        self.load(Label(back))
        self.jump(name)
        self.label(back)

    def subroutine(self, name: str) -> Word:
        """Begin one; `jump_to` what this gives ends it. It does not call itself."""
        self.label(name)
        back = self.words()
        self.store(back)
        return back

    # The result.

    def program(self) -> list[int]:
        """The instruction words."""
        return [code << OPERAND_BITS | self._number(value) for code, value in self._code]

    def ram(self) -> list[int]:
        """What RAM holds at power-on, up to the last word in use."""
        return [self._number(self.initial.get(i, 0)) for i in range(self.free)]

    def _number(self, value: int | Label) -> int:
        return self._labels[value.name] if isinstance(value, Label) else value

    def _compute(self, function: Function, operand: Operand) -> None:
        source, value = self._reached(operand)
        self._code.append((function << 2 | source, value))

    def _reached(self, operand: Operand) -> tuple[Source, int | Label]:
        if isinstance(operand, Input):
            return Source.PORT, int(operand)
        if isinstance(operand, Port):
            return Source.PORT, operand.number
        if isinstance(operand, Word):
            return Source.DIRECT, operand.address
        if isinstance(operand, Label):
            return Source.IMMEDIATE, operand
        if isinstance(operand, Next):
            return Source.NEXT, 0
        if 0 <= operand < IMMEDIATE_LIMIT:
            return Source.IMMEDIATE, operand
        return Source.DIRECT, self.constant(operand).address
