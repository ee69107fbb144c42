"""Writes programs of the sequencer: steps, labels, and what a step does when it is told little.

It knows the fields of control.STEP; it does not know what a program is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_sdk.firmware_images.gateware.core.control import (
    STEP,
    STEPS,
    Alu,
    Condition,
    Event,
    Flow,
    Half,
    Inlet,
    Outlet,
    Source,
)


@dataclass(frozen=True)
class Register:
    """One of the sequencer's 32."""

    number: int


@dataclass(frozen=True)
class Operand:
    """The register that belongs to the RAM of an instruction's operand, 0 to 2."""

    number: int


Input = int | Register | Operand | Inlet | Half


class Assembler:
    """A growing program. Every method but `label`, `align` and `divide` adds one step.

    A step computes, then flows: `wait` holds it until the event; `when` and `unless`
    jump, on what A and carry were before this step. With `keep`, A stays as it was.
    """

    def __init__(self) -> None:
        self._steps: list[dict[str, int]] = []
        self._labels: dict[str, int] = {}
        self._targets: dict[int, str] = {}

    def label(self, name: str) -> None:
        """The next step has this name."""
        if name in self._labels:
            raise ValueError(f"the label {name} stands twice")
        self._labels[name] = len(self._steps)

    def align(self, to: int) -> None:
        """Fill up to a multiple of `to`."""
        while len(self._steps) % to:
            self.load(0, keep=True)

    def do(
        self,
        alu: Alu,
        source: Input,
        *,
        to: Register | None = None,
        out: Outlet | None = None,
        keep: bool = False,
        wait: Event | None = None,
        when: tuple[Condition, str] | None = None,
        unless: tuple[Condition, str] | None = None,
        indexed: bool = False,
    ) -> None:
        """A step; see Alu, Source and Flow."""
        step: dict[str, int] = {"alu": alu, "keep": keep, "indexed": indexed}
        match source:
            case Inlet():
                step |= {"source": Source.INLET, "from": source}
            case Half():
                step |= {"source": Source.PRODUCT, "from": source}
            case Register():
                step |= {"source": Source.REGISTER, "from": source.number}
            case Operand():
                step |= {"source": Source.OPERAND, "from": source.number}
            case int():
                step |= {"source": Source.NUMBER, "number": source & 0xFFFF}
        if to is not None:
            step |= {"write": 1, "to": to.number}
        if out is not None:
            step |= {"out": 1, "port": out}
        for flow, condition in (
            (Flow.WAIT, None if wait is None else (wait, "")),
            (Flow.JUMP, when),
            (Flow.JUMP_UNLESS, unless),
        ):
            if condition is not None:
                if "flow" in step:
                    raise ValueError("a step waits or jumps once")
                step |= {"flow": flow, "condition": condition[0]}
                if flow != Flow.WAIT:
                    self._targets[len(self._steps)] = condition[1]
        self._steps.append(step)

    def load(self, source: Input, **rest: Any) -> None:
        """A = source."""
        self.do(Alu.LOAD, source, **rest)

    def add(self, source: Input, **rest: Any) -> None:
        """A += source."""
        self.do(Alu.ADD, source, **rest)

    def subtract(self, source: Input, **rest: Any) -> None:
        """A -= source."""
        self.do(Alu.SUBTRACT, source, **rest)

    def mask(self, source: Input, **rest: Any) -> None:
        """A &= source."""
        self.do(Alu.AND, source, **rest)

    def put(self, outlet: Outlet, source: Input, **rest: Any) -> None:
        """outlet = source; A stays."""
        self.do(Alu.LOAD, source, out=outlet, keep=True, **rest)

    def copy(self, to: Register, source: Input, **rest: Any) -> None:
        """register = source; A stays."""
        self.do(Alu.LOAD, source, to=to, keep=True, **rest)

    def store(self, to: Register, **rest: Any) -> None:
        """register = A."""
        self.do(Alu.ADD, 0, to=to, **rest)

    def jump(self, label: str, **rest: Any) -> None:
        """Go on at `label`."""
        self.load(0, keep=True, when=(Condition.ALWAYS, label), **rest)

    def pause(self) -> None:
        """A step that does nothing."""
        self.load(0, keep=True)

    def divide(self, divisor: Register) -> None:
        """The quotient register = (A, quotient) div divisor, A = the rest; A < divisor before."""
        for _ in range(16):
            self.do(Alu.DIVIDE, divisor)
        self.pause()

    def assemble(self) -> list[int]:
        """The program's words; raises ValueError for a jump to nowhere."""
        if len(self._steps) > STEPS:
            raise ValueError(f"{len(self._steps)} steps; expected at most {STEPS}")
        for index, name in self._targets.items():
            if name not in self._labels:
                raise ValueError(f"no step is called {name}")
            self._steps[index]["target"] = self._labels[name]
        return [STEP.const(step).as_value().value for step in self._steps]
