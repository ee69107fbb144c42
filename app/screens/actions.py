"""What the user can do in a conversation, by key, by mouse and from the palette.

It knows requests to the engine and what has to happen on the screen for them; it does not know
what the engine answers (chat.py).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import on, work
from textual.binding import Binding, BindingType
from textual.screen import Screen

from edge_sdk.app.comparing import Comparison
from edge_sdk.app.engine import Engine
from edge_sdk.app.screens.compare import CompareScreen
from edge_sdk.app.screens.history import HistoryScreen
from edge_sdk.app.screens.pickers import DevicePicker, ModelPicker
from edge_sdk.app.widgets.prompt import Prompt
from edge_sdk.app.widgets.transcript import Transcript
from edge_sdk.app.widgets.turn import Turn
from edge_sdk.errors import EdgeError
from edge_sdk.safe_text import printable

NO_PORT = ("cpu", "cuda", "metal", "amd", "opencl", "sim", "auto")
"""Devices that hold no port of a board while they are open."""


@dataclass(frozen=True)
class Editing:
    """The prompt holds a text of the conversation, not a new question."""

    kind: Literal["question", "answer"]
    index: int
    draft: str
    """What was in the prompt before."""


class ChatActions(Screen[None]):
    """Keys, and the requests behind them; each is also in the command palette."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop", id="chat.stop", priority=True),
        Binding("escape", "leave_edit", "Leave as it was", id="chat.leave_edit", priority=True),
        Binding("escape", "type", "Type", id="chat.type", show=False),
        Binding("ctrl+u", "undo", "Undo", id="chat.undo"),
        Binding("ctrl+y", "redo", "Redo", id="chat.redo", show=False),
        Binding("ctrl+r", "regenerate", "Again", id="chat.regenerate", priority=True),
        Binding("ctrl+g", "go_on", "Go on", id="chat.go_on", priority=True, show=False),
        Binding("ctrl+up", "turns", "Turns", id="chat.turns", priority=True, show=False),
        Binding("ctrl+n", "new", "New", id="chat.new", priority=True),
        Binding("ctrl+o", "history", "History", id="chat.history", priority=True),
        Binding("f2", "meters", "Meters", id="chat.meters"),
        Binding("f3", "devices", "Device", id="chat.devices", priority=True),
        Binding("f4", "models", "Model", id="chat.models", priority=True, show=False),
        Binding("f5", "compare", "Compare", id="chat.compare", priority=True, show=False),
        Binding("f7", "flash", "Flash", id="chat.flash", priority=True, show=False),
        Binding("f6", "settings", "Settings", id="chat.settings", priority=True, show=False),
    ]

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.ready = False
        """Whether a model is loaded."""
        self.doing = ""
        """What is being done now, as one word; questions wait for its end."""
        self.released = asyncio.Event()
        """Set when the engine has let go of its device."""
        self._editing: Editing | None = None

    @property
    def prompt(self) -> Prompt:
        """The box that is typed into."""
        return self.query_one(Prompt)

    def set_doing(self, what: str) -> None:
        """What is being done now; empty when questions are welcome."""
        self.doing = what
        self.prompt.accepts = self.ready and not what
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what makes sense now."""
        idle = self.ready and not self.doing
        if action == "stop":
            return bool(self.doing)
        if action == "leave_edit":
            return self._editing is not None
        if action in ("regenerate", "go_on", "compare"):
            return idle
        if action in ("new", "type", "undo", "redo", "turns"):
            return self.ready
        if action in ("devices", "models", "settings", "flash"):
            return not self.doing
        return True

    # Questions

    @on(Prompt.Submitted)
    async def ask(self, message: Prompt.Submitted) -> None:
        """Send a question, or a text of the conversation that was edited."""
        editing = self._end_edit()
        transcript = self.query_one(Transcript)
        if editing is None:
            await transcript.begin(message.text)
            self.engine.ask(message.text)
        elif editing.kind == "question":
            await transcript.begin(message.text, editing.index)
            self.engine.edit(editing.index, message.text)
        else:
            await self._continue(editing.index, message.text)
        self.prompt.set_text(editing.draft if editing else "")
        self.set_doing("answering")

    async def _continue(self, index: int, text: str | None) -> None:
        turn = next(turn for turn in self.query_one(Transcript).turns if turn.index == index)
        # Unchanged, the very tokens of the answer are fed, not the text spelt anew.
        text = None if text == printable(turn.answer).strip() else text
        await self.query_one(Transcript).begin(turn.question, index)
        self.engine.continue_answer(index, text)

    @on(Prompt.Refused)
    def explain_refusal(self) -> None:
        """Say why enter does nothing yet."""
        if self.ready:
            self.notify("Still busy; esc stops it. Your text stays here.")
        else:
            self.notify("Still starting; your question is asked as soon as the model is ready.")

    def recall_questions(self) -> None:
        """Let the up key find the questions of earlier runs."""
        history = self.engine.history
        try:
            self.prompt.recall(history.questions() if history is not None else [])
        except EdgeError as error:
            self.notify(error.message, severity="warning", markup=False)

    def action_stop(self) -> None:
        """Stop what is being done and keep what is written."""
        self.set_doing("stopping")
        self.engine.stop()

    def action_type(self) -> None:
        """Go back to the prompt."""
        self.prompt.focus()

    # Turns

    @on(Turn.Wanted)
    async def do_with_turn(self, message: Turn.Wanted) -> None:
        """Do what was asked of the turn in focus."""
        turn = message.turn
        match message.what:
            case "above" | "below":
                step = -1 if message.what == "above" else 1
                neighbour = self.query_one(Transcript).neighbour(turn, step)
                (neighbour or (self.prompt if step > 0 else turn)).focus()
            case "copy":
                self.copy(turn.answer, "The answer")
            case "copy_code":
                self.copy_code(turn)
            case _ if self.doing:
                self.explain_refusal()
            case _ if not turn.live:
                self.notify("This turn is no part of the conversation.")
            case "edit":
                self._edit("question", turn.index, turn.question)
            case "continue":
                self._edit("answer", turn.index, turn.answer)
            case "regenerate":
                await self._regenerate(turn)
            case "go_back":
                self.engine.go_back(turn.index)
            case "previous_branch" | "next_branch":
                self.engine.branch(turn.index, -1 if message.what == "previous_branch" else 1)

    def action_turns(self) -> None:
        """Put the focus on the last turn, whose keys the footer then shows."""
        turns = self.query_one(Transcript).turns
        if turns:
            turns[-1].focus()

    def with_selected(self, what: str) -> None:
        """Do something with the turn in focus, else with the last one (palette)."""
        turn = self.query_one(Transcript).selected
        if turn is None:
            self.notify("There is no turn yet.")
        else:
            turn.action_want(what)

    def action_undo(self) -> None:
        """Take the last turn back, in no time: the state before it was kept."""
        self.engine.undo()

    def action_redo(self) -> None:
        """Bring the turn back that was undone last."""
        self.engine.redo()

    async def action_regenerate(self) -> None:
        """Answer the last question anew."""
        turn = self.query_one(Transcript).last
        if turn is None:
            self.notify("There is no answer to write again.")
        else:
            await self._regenerate(turn)

    async def _regenerate(self, turn: Turn) -> None:
        await self.query_one(Transcript).begin(turn.question, turn.index)
        self.set_doing("answering")
        self.engine.regenerate(turn.index)

    async def action_go_on(self) -> None:
        """Go on writing the last answer where it ended."""
        turn = self.query_one(Transcript).last
        if turn is None:
            self.notify("There is no answer to go on with.")
        else:
            await self._continue(turn.index, printable(turn.answer).strip())
            self.set_doing("answering")

    def action_leave_edit(self) -> None:
        """Leave the text of the conversation as it was."""
        editing = self._end_edit()
        if editing is not None:
            self.prompt.set_text(editing.draft)

    def _edit(self, kind: Literal["question", "answer"], index: int, text: str) -> None:
        draft = self._editing.draft if self._editing else self.prompt.text
        self._editing = Editing(kind, index, draft)
        what = "the question" if kind == "question" else "the answer"
        then = "asks it from there" if kind == "question" else "lets the model go on"
        self.prompt.border_title = f"Editing {what}: enter {then}, esc leaves it"
        self.prompt.remembers = kind == "question"
        self.prompt.set_text(printable(text))
        self.prompt.focus()
        self.refresh_bindings()

    def _end_edit(self) -> Editing | None:
        editing, self._editing = self._editing, None
        self.prompt.border_title = ""
        self.prompt.remembers = True
        self.refresh_bindings()
        return editing

    def copy_code(self, turn: Turn) -> None:
        """Copy the next code block of a turn; again, the one after it."""
        found = turn.next_code()
        if found is None:
            self.notify("This answer has no code block.")
        else:
            text, number, count = found
            self.copy(text, f"Code block {number} of {count}")

    def copy(self, text: str, what: str) -> None:
        """Copy to the clipboard (OSC 52: some terminals ignore it, Export always works)."""
        self.app.copy_to_clipboard(printable(text))
        self.notify(f"{what} was copied, if this terminal allows it; Export always works.")

    # Conversations, devices, models

    def action_new(self) -> None:
        """Begin a new conversation; this one stays in the history."""
        self.engine.reset()

    @work
    async def action_flash(self) -> None:
        """Put our image onto a board, and go on with the conversation there."""
        # Here: most runs never flash, and boards need not be installed.
        from edge_sdk.app.screens.flash import FlashScreen

        options = self.engine.options
        held = self.ready and not options.device.startswith(NO_PORT)
        if held:
            # A port that the conversation holds could not be asked.
            self.set_doing("flashing")
            self.released.clear()
            self.engine.let_go()
            await self.released.wait()
        uri = await self.app.push_screen_wait(FlashScreen(self.engine.backend.find_flasher))
        if held or uri is not None:
            self._switch(uri or options.device, options.model)

    def action_settings(self) -> None:
        """Change how answers are written, looks and keys (see edge_sdk.app.chat_app)."""
        self.app.call_later(self.app.run_action, "app.settings")

    def action_meters(self) -> None:
        """Show the panel as a panel or as one line."""
        self.toggle_class("-flipped")

    @work
    async def action_history(self) -> None:
        """Look for a conversation and go on with it."""
        if self.engine.history is None:
            self.notify("The history cannot be used; see the message at the start.")
            return
        screen = HistoryScreen(self.engine.history, self.engine.archive.key)
        key = await self.app.push_screen_wait(screen)
        if key is not None:
            self.set_doing("opening")
            self.engine.open(key)

    @work
    async def action_devices(self) -> None:
        """Choose the device that the conversation goes on with."""
        picker = DevicePicker(self.engine.backend.list_devices, self.engine.options.device)
        uri = await self.app.push_screen_wait(picker)
        if uri is not None:
            self._switch(uri, self.engine.options.model)

    @work
    async def action_models(self) -> None:
        """Choose the model that the conversation goes on with."""
        picker = ModelPicker(self.engine.backend.list_models, self.engine.options.model)
        name = await self.app.push_screen_wait(picker)
        if name is not None:
            self._switch(self.engine.options.device, name)

    def _switch(self, device: str, model: str) -> None:
        self.set_doing("switching")
        self.engine.switch(device, model)

    @work
    async def action_compare(self) -> None:
        """Answer one question on two devices, side by side."""
        last = self.query_one(Transcript).last
        question = self.prompt.text or (last.question if last is not None else "")

        def begin(comparison: Comparison) -> None:
            self.set_doing("comparing")
            self.engine.compare(comparison)

        screen = CompareScreen(
            question, self.engine.options, self.engine.backend.list_devices, begin, self.engine.stop
        )
        await self.app.push_screen_wait(screen)
        if self.doing == "comparing":
            self.engine.stop()
