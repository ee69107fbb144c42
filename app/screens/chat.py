"""The conversation on one screen: transcript, prompt, and the panel with its one-line form.

It knows what the engine says and how that is shown; what the user can do is in actions.py.
"""

from __future__ import annotations

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from edge_sdk.app.collector import Collector
from edge_sdk.app.engine import Engine
from edge_sdk.app.events import (
    Answered,
    Cleared,
    Event,
    Failed,
    LaneUpdate,
    LetGo,
    Lost,
    Moved,
    Opened,
    Piece,
    Progressed,
    Ready,
    Shown,
    Starting,
    Warned,
)
from edge_sdk.app.facts import Facts, note, summary
from edge_sdk.app.figures import gauge, sentence
from edge_sdk.app.screens.actions import ChatActions
from edge_sdk.app.screens.compare import CompareScreen
from edge_sdk.app.sentences import GREETING, moved
from edge_sdk.app.widgets.footer import KeyLine
from edge_sdk.app.widgets.panel import Line, Panel
from edge_sdk.app.widgets.prompt import Prompt
from edge_sdk.app.widgets.transcript import Transcript, settle
from edge_sdk.monitor import Monitor
from edge_sdk.safe_text import printable

DRAIN_SECONDS = 1 / 20
"""Writing each token by itself would make the model wait for the screen."""

SCREEN_SHARE = 1 / 8
"""Share of a core that the screen takes at most while an answer comes: the rest is the model's."""

MAX_DRAIN_SECONDS = 1 / 4
"""Even a screen that is slow to draw is drawn so often."""

UNREADABLE = 300
"""Tokens a second that nobody reads as they come: such text may be drawn half as often."""

METER_SECONDS = 0.5
PROGRESS_WIDTH = 24


class ChatScreen(ChatActions):
    """What the engine says, in the order in which it was said."""

    AUTO_FOCUS: ClassVar[str | None] = ""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        # The panel needs 40 columns of its own.
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
        self._monitor: Monitor | None = None
        self._draining = False
        self._drained = self._spent = 0.0
        self._lost = False
        self._collector = Collector()
        self.facts = Facts()
        self.exit_code = 0
        """What the program ends with: that of the last error, unless an answer followed it."""
        self.failure: Failed | None = None
        """Why no model is loaded."""

    def compose(self) -> ComposeResult:
        """Title, conversation beside panel, footer."""
        with Horizontal(id="title"):
            yield Static("Edge SDK", id="brand", markup=False)
            yield Static("", id="where", markup=False)
            yield Static("starting", id="status", markup=False)
        with Horizontal(id="body"):
            with Vertical(id="conversation"):
                yield Transcript()
                yield Static("", id="progress", markup=False)
                yield Line(id="summary")
                yield Prompt()
            yield Panel()
        yield KeyLine()

    def on_mount(self) -> None:
        """Paint first, then open the device: both timers read what the engine's thread tells."""
        self.set_interval(DRAIN_SECONDS, self._drain_soon)
        self.set_interval(METER_SECONDS, self.show_facts)
        self.prompt.focus()
        self.call_after_refresh(self.engine.start)

    def _drain_soon(self) -> None:
        """Drain in the screen's own turn, never in the timer's.

        At the end Textual cancels a timer once and waits for it; a Markdown stream that is being
        stopped swallows that one cancellation, and the app would never end.
        """
        events = self.engine.events
        if not events or self._draining:
            return
        now, spent = time.monotonic(), time.thread_time()
        rest = min((spent - self._spent) / SCREEN_SHARE, MAX_DRAIN_SECONDS)
        if len(events) > UNREADABLE * (now - self._drained):
            rest *= 2
        if now - self._drained < rest and isinstance(events[-1], Piece | Progressed):
            # What the last text cost is not paid back yet.
            return
        self._drained, self._spent = now, spent
        self._draining = True
        self.call_later(self.drain)

    async def drain(self) -> None:
        """Show everything that the engine has said since the last time."""
        self._draining = False
        events = self.engine.events
        pieces: list[str] = []
        while events:
            event = events.popleft()
            if isinstance(event, Piece):
                pieces.append(event.text)
                continue
            await self._write(pieces)
            await self._show(event)
        await self._write(pieces)

    async def _write(self, pieces: list[str]) -> None:
        turn = self.query_one(Transcript).last
        if pieces and turn is not None:
            await turn.write("".join(pieces))
        pieces.clear()

    async def _show(self, event: Event) -> None:
        transcript = self.query_one(Transcript)
        match event:
            case Starting():
                self._show_step(event)
            case Opened(info, monitor):
                self.facts.info, self._monitor = info, monitor
            case Ready(model):
                self.facts.model = model
                self._become_ready()
            case Progressed(figures):
                self.facts.figures = figures
            case Answered():
                await self._finish(event)
            case Shown():
                self.facts.figures = event.figures if event.turns else None
                await transcript.show(event.turns)
                if event.draft and not self.prompt.text:
                    self.prompt.set_text(event.draft)
            case Moved():
                await self._tell_move(event)
            case Cleared():
                await transcript.clear()
                self.facts.figures = None
                self.set_doing("")
                self.notify("New conversation.")
            case LetGo():
                self.released.set()
            case Lost():
                self._lost = True
                self.set_doing("")
            case Warned(message):
                self.set_doing("")
                self.notify(printable(message), severity="warning", markup=False, timeout=10)
            case Failed():
                await self._fail(event)
            case LaneUpdate():
                self._pass_to_comparison(event)
        self.show_facts()
        if isinstance(event, Ready | Answered | Shown | Cleared):
            everything = isinstance(event, Shown | Cleared)
            self.call_after_refresh(self._collector.settle, everything=everything)

    def _show_step(self, event: Starting) -> None:
        percent = f"  {100 * event.done // event.total} %" if event.total else ""
        self.query_one(Transcript).greet(f"{event.text} …{percent}")
        line = self.query_one("#progress", Static)
        line.display = self.ready
        bar = f"{gauge(event.done, event.total, PROGRESS_WIDTH)} " if event.total else ""
        line.update(printable(f"{bar}{event.text}{percent}  (esc cancels)", newlines=False))

    def _become_ready(self) -> None:
        info, model = self.facts.info, self.facts.model
        if info is not None and model is not None:
            where = f"{model.name} on {info.uri}"
            self.query_one("#where", Static).update(printable(where, newlines=False))
        self.query_one(Transcript).greet(GREETING)
        self._lost, self.failure, self.exit_code = False, None, 0
        first = not self.ready
        if first:
            self.ready = True
            self.prompt.disabled = False
            self.prompt.focus()
            self.recall_questions()
        self.set_doing("")
        if first:
            self.prompt.submit_refused()

    async def _finish(self, event: Answered) -> None:
        self.facts.figures, self.exit_code = event.figures, 0
        turn = self.query_one(Transcript).last
        text = note(event.figures, stopped=event.stopped, kept=event.turn is not None)
        if turn is not None and event.turn is not None:
            await turn.finish("")
            settle(turn, event.turn)
        elif turn is not None and event.back:
            turn.note(f"{text}\nThe answer before is kept.")
        elif turn is not None:
            await turn.finish(text)
            turn.live = False
        self.set_doing("")

    async def _tell_move(self, event: Moved) -> None:
        if event.kind == "undo" and event.done:
            await self.query_one(Transcript).drop_last()
            if event.question and not self.prompt.text:
                self.prompt.set_text(event.question)
        self.set_doing("")
        self.notify(moved(event))

    async def _fail(self, event: Failed) -> None:
        self.exit_code = event.exit_code
        text = sentence(event.message) + (f"\n{sentence(event.hint)}" if event.hint else "")
        transcript = self.query_one(Transcript)
        turn = transcript.last
        if event.answering and turn is not None:
            await turn.finish(text, trouble=True)
            if event.back:
                turn.note(f"{text}\nThe answer before is kept.", trouble=True)
            else:
                turn.live = False
        elif not event.fatal:
            self.notify(text, severity="error", markup=False, timeout=10)
        if event.fatal:
            self.failure, self.ready = event, False
            self.prompt.disabled = True
            ending = (
                "f3 chooses another device, f4 another model.\n"
                f"ctrl+q quits with exit code {event.exit_code}."
            )
            if transcript.turns:
                self.notify(f"{text}\n{ending}", severity="error", markup=False, timeout=10)
            transcript.greet(f"{text}\n\n{ending}", trouble=True)
        self.set_doing("")

    def _pass_to_comparison(self, event: LaneUpdate) -> None:
        for screen in self.app.screen_stack:
            if isinstance(screen, CompareScreen):
                screen.show(event)
                if screen.finished:
                    self.set_doing("")

    def set_doing(self, what: str) -> None:
        """What is being done now; empty when questions are welcome."""
        super().set_doing(what)
        if not what:
            self.query_one("#progress").display = False
        status = what or "ready"
        if not what and not self.ready:
            status = "no model" if self.failure else "starting"
        elif not what and self._lost:
            status = "device gone, waiting for it"
        self.query_one("#status", Static).update(status)

    def show_meters(self, how: str) -> None:
        """The readings as a panel where there is room, as a line, or not at all."""
        self.set_class(how == "line", "-line")
        self.set_class(how == "off", "-no-meters")

    def show_facts(self) -> None:
        """Bring the panel and the one-line summary up to date."""
        if self._monitor is not None:
            self.facts.telemetry = self._monitor.latest
            self.facts.watts = self._monitor.history()
            self.facts.idle = self._monitor.idle()
        self.query_one(Panel).show(self.facts)
        self.query_one("#summary", Line).show(summary(self.facts))
