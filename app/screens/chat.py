"""The conversation on one screen: transcript, prompt, and the panel with its one-line form.

It knows how requests and events meet; it does not know the thread that answers.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from edge_sdk.app.engine import Engine
from edge_sdk.app.events import (
    Answered,
    Cleared,
    Event,
    Failed,
    Opened,
    Piece,
    Progressed,
    Ready,
    Starting,
    Undone,
)
from edge_sdk.app.facts import Facts, note, summary
from edge_sdk.app.figures import sentence
from edge_sdk.app.widgets.panel import Panel
from edge_sdk.app.widgets.prompt import Prompt
from edge_sdk.app.widgets.transcript import Transcript
from edge_sdk.monitor import Monitor
from edge_sdk.safe_text import printable

DRAIN_SECONDS = 1 / 20
"""Writing each token by itself would make the model wait for the screen."""

METER_SECONDS = 0.5
GREETING = "Ask anything. It is answered on this machine, and nothing leaves it."


class ChatScreen(Screen[None]):
    """Every action here is also in the command palette (see edge_sdk.app.chat_app)."""

    AUTO_FOCUS: ClassVar[str | None] = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop", id="chat.stop", priority=True),
        Binding("escape", "type", "Type", id="chat.type", show=False),
        Binding("ctrl+u", "undo", "Undo", id="chat.undo"),
        Binding("ctrl+r", "regenerate", "Again", id="chat.regenerate", priority=True),
        Binding("ctrl+n", "new", "New", id="chat.new", priority=True),
        Binding("f2", "meters", "Meters", id="chat.meters"),
    ]

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        # The panel needs 40 columns of its own.
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
        self._engine = engine
        self._monitor: Monitor | None = None
        self._ready = False
        self._busy = False
        self._draining = False
        self.facts = Facts()
        self.exit_code = 0
        """What the program ends with: that of the last error, unless an answer followed it."""
        self.failure: Failed | None = None
        """The failure that made the engine give up."""

    def compose(self) -> ComposeResult:
        """Title, conversation beside panel, footer."""
        with Horizontal(id="title"):
            yield Static("Edge SDK", id="brand", markup=False)
            yield Static("", id="where", markup=False)
            yield Static("starting", id="status", markup=False)
        with Horizontal(id="body"):
            with Vertical(id="conversation"):
                yield Transcript()
                yield Static("", id="summary", markup=False)
                yield Prompt()
            yield Panel()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Paint first, then open the device: both timers read what the engine's thread tells."""
        self.set_interval(DRAIN_SECONDS, self._drain_soon)
        self.set_interval(METER_SECONDS, self.show_facts)
        self.call_after_refresh(self._engine.start)

    # Events of the engine

    def _drain_soon(self) -> None:
        """Drain in the screen's own turn, never in the timer's.

        At the end Textual cancels a timer once and waits for it; a Markdown stream that is being
        stopped swallows that one cancellation, and the app would never end.
        """
        if self._engine.events and not self._draining:
            self._draining = True
            self.call_later(self.drain)

    async def drain(self) -> None:
        """Show everything that the engine has said since the last time."""
        self._draining = False
        events = self._engine.events
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
            case Starting(text, done, total):
                percent = f"  {100 * done // total} %" if total else ""
                transcript.greet(f"{text} …{percent}")
            case Opened(info, monitor):
                self.facts.info, self._monitor = info, monitor
            case Ready(model):
                self.facts.model = model
                self._become_ready()
            case Progressed(figures):
                self.facts.figures = figures
            case Answered(figures):
                self.facts.figures, self.exit_code = figures, 0
                text = note(figures, stopped=event.stopped, kept=event.kept)
                await self._finish(event, text)
            case Undone(done, figures):
                self.facts.figures = figures
                await self._take_back(done)
            case Cleared():
                await transcript.clear()
                self.facts.figures = None
                self.notify("New conversation.")
            case Failed():
                await self._fail(event)
        self.show_facts()

    def _become_ready(self) -> None:
        info, model = self.facts.info, self.facts.model
        if info is not None and model is not None:
            where = f"{model.name} on {info.uri}"
            self.query_one("#where", Static).update(printable(where, newlines=False))
        self.query_one(Transcript).greet(GREETING)
        self._ready = True
        prompt = self.query_one(Prompt)
        prompt.disabled = False
        prompt.focus()
        self._set_busy(False)

    async def _finish(self, event: Answered | Failed, text: str, *, trouble: bool = False) -> None:
        turn = self.query_one(Transcript).last
        if turn is not None:
            if event.old_answer is not None:
                await turn.restart()
                await turn.write(event.old_answer)
                text = f"{text}\nThe answer before is kept."
            await turn.finish(text, trouble=trouble)
            turn.live = event.kept
        self._set_busy(False)

    async def _take_back(self, done: bool) -> None:
        if not done:
            self.notify("There is no turn to undo.")
            return
        question = await self.query_one(Transcript).drop_last()
        prompt = self.query_one(Prompt)
        if question and not prompt.text:
            prompt.set_text(question)
        self.notify("Last turn undone: state restored, nothing re-fed.")

    async def _fail(self, event: Failed) -> None:
        self.exit_code = event.exit_code
        text = sentence(event.message) + (f"\n{sentence(event.hint)}" if event.hint else "")
        turn = self.query_one(Transcript).last
        if self._busy and turn is not None:
            await self._finish(event, text, trouble=True)
        if event.fatal:
            self.failure, self._ready = event, False
            self.query_one(Prompt).disabled = True
            self.query_one("#status", Static).update("stopped by an error")
            if turn is None:
                ending = f"\n\nctrl+q quits with exit code {event.exit_code}."
                self.query_one(Transcript).greet(text + ending, trouble=True)
        self.refresh_bindings()

    # Meters

    def show_facts(self) -> None:
        """Bring the panel and the one-line summary up to date."""
        if self._monitor is not None:
            self.facts.telemetry = self._monitor.latest
            self.facts.watts = self._monitor.history()
            self.facts.idle = self._monitor.idle()
        self.query_one(Panel).show(self.facts)
        self.query_one("#summary", Static).update(summary(self.facts))

    # Requests of the user

    @on(Prompt.Submitted)
    async def ask(self, message: Prompt.Submitted) -> None:
        """Send a question."""
        await self.query_one(Transcript).begin(message.text)
        self._set_busy(True)
        self._engine.ask(message.text)

    @on(Prompt.Refused)
    def explain_refusal(self) -> None:
        """Say why enter does nothing."""
        self.notify("Still answering; esc stops it. Your text stays here.")

    def action_stop(self) -> None:
        """Stop the answer and keep what is written."""
        self.query_one("#status", Static).update("stopping")
        self._engine.stop()

    def action_type(self) -> None:
        """Go back to the prompt."""
        self.query_one(Prompt).focus()

    def action_undo(self) -> None:
        """Take the last turn back, in no time: the state before it was kept."""
        self._engine.undo()

    async def action_regenerate(self) -> None:
        """Answer the last question anew."""
        turn = self.query_one(Transcript).last
        if turn is None:
            self.notify("There is no answer to write again.")
            return
        await turn.restart()
        self._set_busy(True)
        self._engine.regenerate()

    def action_new(self) -> None:
        """Begin a new conversation."""
        self._engine.reset()

    def action_meters(self) -> None:
        """Show the panel as a panel or as one line."""
        self.toggle_class("-flipped")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what makes sense now."""
        if action == "stop":
            return self._busy
        if action == "regenerate":
            return self._ready and not self._busy
        if action in ("new", "type", "undo"):
            return self._ready
        return True

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        self.query_one(Prompt).accepts = self._ready and not busy
        self.query_one("#status", Static).update("answering" if busy else "ready")
        self.refresh_bindings()
