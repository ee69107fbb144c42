"""The same question on two devices, side by side: the answers, and what they took.

It knows how two lanes stand beside each other; it does not know how they are run (comparing.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, Select, Static

from edge_sdk.app.backend import Options
from edge_sdk.app.comparing import Comparison
from edge_sdk.app.events import Figures, LaneUpdate
from edge_sdk.app.figures import UNKNOWN, explain, figure, quantity, seconds
from edge_sdk.app.widgets.footer import KeyLine
from edge_sdk.device import DeviceInfo
from edge_sdk.safe_text import printable
from edge_sdk.telemetry import Reading

LANES = 2
HINT = "enter asks both, one after the other; greedy, so that equal arithmetic gives equal answers"


class Lane(Vertical):
    """One device: which, its answer, its figures."""

    def __init__(self, number: int) -> None:
        super().__init__(id=f"lane-{number}", classes="lane")
        self.done = False
        self.answer = ""

    def compose(self) -> ComposeResult:
        """Choice of the device, state, answer, figures."""
        yield Select[str]([], prompt="looking for devices …", compact=True)
        yield Static("", classes="lane-status", markup=False)
        with VerticalScroll(can_focus=False):
            yield Static("", classes="lane-answer", markup=False)
        yield Static(table(None), classes="lane-figures", markup=False)

    def show(self, event: LaneUpdate) -> None:
        """Bring everything up to date."""
        self.done, self.answer = event.done, event.text
        self.query_one(".lane-status", Static).update(printable(event.status))
        self.query_one(".lane-answer", Static).update(printable(event.text))
        figures = table(event.figures, event.watts, event.board_speed)
        self.query_one(".lane-figures", Static).update(figures)


class CompareScreen(Screen[None]):
    """Enter starts, escape stops and then leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", id="compare.leave"),
    ]

    def __init__(
        self,
        question: str,
        options: Options,
        devices: Callable[[], list[DeviceInfo]],
        begin: Callable[[Comparison], None],
        stop: Callable[[], None],
    ) -> None:
        super().__init__()
        self._question = question
        self._options = options
        self._devices = devices
        self._begin = begin
        self._stop = stop
        self._comparing = False

    @property
    def lanes(self) -> list[Lane]:
        """Left and right."""
        return list(self.query(Lane))

    @property
    def finished(self) -> bool:
        """Whether all lanes are through."""
        return all(lane.done for lane in self.lanes)

    def compose(self) -> ComposeResult:
        """Question, two lanes, and what both have in common."""
        with Horizontal(id="title"):
            yield Static("Compare", id="brand", markup=False)
            yield Static(f"{self._options.model} on two devices", id="where", markup=False)
        yield Input(self._question.replace("\n", " "), placeholder="Ask both", id="question")
        with Horizontal(id="lanes"):
            for number in range(LANES):
                yield Lane(number)
        yield Static(HINT, id="verdict", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Look for devices; that may take seconds."""
        self._look()

    @work(thread=True)
    def _look(self) -> None:
        usable = [info.uri for info in self._devices() if info.usable]
        self.app.call_from_thread(self._take, usable)

    def _take(self, usable: list[str]) -> None:
        for number, lane in enumerate(self.lanes):
            select = lane.query_one(Select)
            select.set_options([(uri, uri) for uri in usable])
            if usable:
                select.value = usable[min(number, len(usable) - 1)]
            else:
                select.prompt = "no usable device"

    @on(Input.Submitted)
    def ask(self, message: Input.Submitted) -> None:
        """Ask all lanes."""
        question = printable(message.value).strip()
        chosen = [lane.query_one(Select).value for lane in self.lanes]
        if not question or self._comparing or not all(isinstance(uri, str) for uri in chosen):
            self.notify(
                "Write a question and choose two devices." if not self._comparing else "Busy."
            )
            return
        for number, lane in enumerate(self.lanes):
            lane.show(LaneUpdate(number, "waiting"))
        self._comparing = True
        self._begin(
            Comparison(question, tuple(str(uri) for uri in chosen), self._options.max_tokens)
        )

    def show(self, event: LaneUpdate) -> None:
        """What the engine says about one lane."""
        self.lanes[event.lane].show(event)
        if self.finished:
            self._comparing = False
            self.query_one("#verdict", Static).update(verdict([lane.answer for lane in self.lanes]))

    def action_leave(self) -> None:
        """Stop; when nothing runs, go back to the conversation."""
        if self._comparing:
            self._stop()
        else:
            self.dismiss(None)


def verdict(answers: list[str]) -> str:
    """Whether the devices said the same."""
    if not all(answers):
        return HINT
    if len(set(answers)) == 1:
        return "Both answers are the same, character for character."
    same = next(
        (n for n, pair in enumerate(zip(*answers, strict=False)) if len(set(pair)) > 1),
        min(map(len, answers)),
    )
    return f"The answers differ from character {same + 1} on: the devices round differently."


def table(
    figures: Figures | None, watts: Reading | None = None, board_speed: Reading | None = None
) -> str:
    """Speed, power and energy of an answer, each with its provenance."""
    rows = [
        ("tokens", str(figures.answer_tokens) if figures else UNKNOWN, ""),
        ("answering", _rate(figures.tokens_per_second if figures else 0), "measured"),
        ("reading", _rate(figures.prefill_per_second if figures else 0), "measured"),
        ("first token", seconds(figures.first_token_seconds) if figures else UNKNOWN, "measured"),
        ("power", *_reading(watts, "Power")),
        ("energy", *_reading(figures.energy if figures else None, "Energy")),
        ("per token", *_reading(figures.joules_per_token if figures else None, "Energy")),
    ]
    if board_speed is not None:
        rows.insert(2, ("on the board", *_reading(board_speed, "Speed")))
    lines = [
        f"{name:<12}{value:>12}  {'' if value == UNKNOWN and mark == 'measured' else mark}".rstrip()
        for name, value, mark in rows
    ]
    if watts is not None and watts.value is None:
        lines.append(explain(watts))
    return "\n".join(lines)


def _rate(value: float) -> str:
    return quantity(value, "tok/s") if value else UNKNOWN


def _reading(reading: Reading | None, what: str) -> tuple[str, str]:
    line = figure(reading, what)
    return line.value, line.mark
