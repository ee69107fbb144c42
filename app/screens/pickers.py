"""Choose where the conversation goes on: a device or a model, from a list that can be filtered.

It knows how a choice is made; it does not know what is switched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from edge_sdk.app.figures import quantity, sentence
from edge_sdk.app.widgets.footer import KeyLine
from edge_sdk.device import DeviceInfo
from edge_sdk.errors import EdgeError
from edge_sdk.hub import ModelEntry
from edge_sdk.safe_text import printable


@dataclass(frozen=True)
class Choice:
    """One line of a picker."""

    value: str
    """What is chosen."""
    label: str
    note: str
    """On the right of the label."""
    detail: str
    """Below the list, while the line is highlighted."""
    usable: bool = True


class Picker(ModalScreen[str | None]):
    """A list with a filter; enter chooses, escape leaves everything as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Leave", id="picker.leave"),
        Binding("down", "move(1)", "Down", id="picker.down", show=False),
        Binding("up", "move(-1)", "Up", id="picker.up", show=False),
    ]

    def __init__(self, title: str, load: Callable[[], list[Choice]], current: str) -> None:
        super().__init__()
        self._title = title
        self._load = load
        self._current = current
        self._choices: list[Choice] = []
        self._shown: list[Choice] = []

    def compose(self) -> ComposeResult:
        """Title, filter, list, and what there is to say about the line in question."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Input(placeholder="type to filter", compact=True)
            yield OptionList(markup=False)
            yield Static("looking …", classes="dialog-detail", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Look for what there is; that may take seconds."""
        self._look()

    @work(thread=True)
    def _look(self) -> None:
        try:
            choices = self._load()
        except EdgeError as error:
            text = f"{error.message} {error.hint or ''}"
            self.app.call_from_thread(self._say, text)
            return
        self.app.call_from_thread(self._take, choices)

    def _take(self, choices: list[Choice]) -> None:
        self._choices = choices
        self._filter("")

    @on(Input.Changed)
    def narrow(self, message: Input.Changed) -> None:
        """Show the lines that have all words of the filter."""
        self._filter(message.value)

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        self._shown = [
            choice
            for choice in self._choices
            if all(word in f"{choice.value} {choice.label}".lower() for word in words)
        ]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(self._line(choice)) for choice in self._shown)
        values = [choice.value for choice in self._shown]
        if values:
            options.highlighted = values.index(self._current) if self._current in values else 0
        else:
            self._say("Nothing fits." if self._choices else "There is nothing to choose from.")

    def _line(self, choice: Choice) -> Text:
        mark = "• " if choice.value == self._current else "  "
        line = Text(mark + printable(choice.label, newlines=False))
        line.append(f"  {printable(choice.note, newlines=False)}", "dim")
        return line

    @on(OptionList.OptionHighlighted)
    def explain(self, message: OptionList.OptionHighlighted) -> None:
        """Tell more about the highlighted line."""
        if message.option_index < len(self._shown):
            self._say(self._shown[message.option_index].detail)

    def _say(self, text: str) -> None:
        self.query_one(".dialog-detail", Static).update(printable(text))

    @on(OptionList.OptionSelected)
    def choose(self, message: OptionList.OptionSelected) -> None:
        """Choose a line by mouse or enter."""
        self._choose(message.option_index)

    @on(Input.Submitted)
    def choose_highlighted(self) -> None:
        """Choose the highlighted line."""
        highlighted = self.query_one(OptionList).highlighted
        if highlighted is not None:
            self._choose(highlighted)

    def _choose(self, index: int) -> None:
        choice = self._shown[index]
        if choice.usable:
            self.dismiss(choice.value)
        else:
            self.notify(printable(choice.detail), severity="warning", markup=False)

    def action_move(self, step: int) -> None:
        """Move in the list while typing into the filter."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_cancel(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


class DevicePicker(Picker):
    """All devices of this machine, the unusable ones with the reason and the remedy."""

    def __init__(self, devices: Callable[[], list[DeviceInfo]], current: str) -> None:
        super().__init__(
            "Device: the conversation goes on where you choose",
            lambda: [*map(device_choice, devices())],
            current,
        )


class ModelPicker(Picker):
    """All models that have a name."""

    def __init__(self, models: Callable[[], list[ModelEntry]], current: str) -> None:
        super().__init__(
            "Model: it reads the conversation so far",
            lambda: [*map(model_choice, models())],
            current,
        )


def device_choice(info: DeviceInfo) -> Choice:
    """A device as a line."""
    if not info.usable:
        remedy = f" To use it: {info.remedy}" if info.remedy else ""
        reason = sentence(info.reason or "the reason is not known")
        return Choice(info.uri, f"{info.uri}  {info.name}", "not usable", reason + remedy, False)
    memory = f", {quantity(info.memory, 'B')}" if info.memory else ""
    details = "; ".join(f"{name}: {value}" for name, value in info.details.items())
    detail = f"{info.name}{memory}. {sentence(details) if details else ''}"
    return Choice(info.uri, f"{info.uri}  {info.name}", info.kind, detail)


def model_choice(entry: ModelEntry) -> Choice:
    """A model as a line."""
    where = "comes with Edge SDK" if entry.embedded else "installed"
    detail = f"{entry.name}: {quantity(entry.size, 'B')}, {where}, {entry.path}"
    return Choice(entry.name, entry.name, quantity(entry.size, "B"), detail)
