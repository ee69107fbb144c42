"""What the device does while it thinks: power, energy, memory, speed, context.

It knows how the lines stand on the screen; it does not know what they say.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from edge_sdk.app import facts as lines
from edge_sdk.app.facts import Facts
from edge_sdk.app.figures import gauge
from edge_sdk.app.widgets.meter import Meter

HINT = "Tab to a figure to see where it comes from."


class Line(Static):
    """Text that is drawn anew only where it changed: twice a second would be felt otherwise."""

    def __init__(self, id: str) -> None:
        super().__init__("", id=id, markup=False)
        self._said = ""

    def show(self, text: str) -> None:
        """Set the text."""
        if text != self._said:
            self._said = text
            height = self.styles.height
            self.update(text, layout=height is None or height.is_auto)


class Panel(Vertical):
    """Sections of meters, and below them the explanation of the one in focus."""

    def __init__(self) -> None:
        super().__init__(id="panel")

    def compose(self) -> ComposeResult:
        """Every line that there can be; those without a meaning here stay hidden."""
        with VerticalScroll(id="meters", can_focus=False):
            yield from self._section("POWER")
            yield Meter("now", id="power")
            yield Line(id="history")
            yield Meter("mean", id="mean")
            yield Meter("at rest", id="rest")
            yield Meter("this answer", id="energy")
            yield Meter("per token", id="per-token")
            yield Meter("above rest", id="net")
            yield from self._section("MEMORY")
            yield Meter("process", id="process-memory")
            yield Meter("machine", id="machine-memory")
            yield Meter("device", id="device-memory")
            yield Meter("model file", id="model-file")
            yield Meter("state", id="state")
            yield from self._section("SPEED")
            yield Meter("answering", id="decode")
            yield Meter("on the board", id="board-speed")
            yield Meter("reading", id="prefill")
            yield Meter("first token", id="first-token")
            yield from self._section("CONTEXT")
            yield Meter("used", id="context")
            yield Line(id="gauge")
            yield from self._section("RUNS ON")
            yield Line(id="device")
            yield Meter("busy", id="busy")
            yield Meter("temperature", id="temperature")
        yield Static(HINT, id="details", markup=False)

    def _section(self, title: str) -> ComposeResult:
        yield Static(title, classes="section", markup=False)

    def on_meter_explained(self, message: Meter.Explained) -> None:
        """Show the explanation of the meter in focus."""
        self.query_one("#details", Static).update(message.text or HINT)

    def show(self, facts: Facts) -> None:
        """Write every figure anew."""
        for name, line in {
            **lines.power(facts),
            **lines.memory(facts),
            **lines.speed(facts),
            **lines.condition(facts),
        }.items():
            meter = self.query_one(f"#{name}", Meter)
            meter.display = line is not None
            if line is not None:
                meter.show(line)
        history = self.query_one("#history", Line)
        history.show(lines.history(facts))
        history.set_class(not facts.watts, "-reason")
        self._show_context(facts)
        self.query_one("#device", Line).show(lines.device(facts))

    def _show_context(self, facts: Facts) -> None:
        self.query_one("#context", Meter).show(lines.context(facts))
        figures = facts.figures
        line = self.query_one("#gauge", Line)
        line.display = figures is not None
        if figures is not None:
            width = max(line.size.width, 8)
            line.show(gauge(figures.context_used, figures.context_limit, width))
