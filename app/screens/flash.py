"""Puts our image onto a board: which board, what will be written, how far it is, and the self-test.

It knows the steps as a person sees them; edge_sdk.boards finds who does the work, in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from edge_sdk.app.figures import gauge, seconds, sentence
from edge_sdk.app.mistakes import unexpected
from edge_sdk.app.screens.dialogs import Confirm
from edge_sdk.app.widgets.footer import KeyLine
from edge_sdk.boards import BoardImage, BoardPort, Flasher, FlashPlan, FlashReport
from edge_sdk.device import Cancelled
from edge_sdk.errors import EdgeError
from edge_sdk.safe_text import printable

BAR = 40
"""Cells of the progress bar."""

TICK_SECONDS = 0.1
NO_PORT = (
    "No USB serial port was found: plug a board in and press r. A board without its port can be "
    "written, and then nobody can ask it what it runs."
)


@dataclass(frozen=True)
class Target:
    """One line of the list: a board at a port, or a kind of board without one."""

    board: str | None
    port: BoardPort | None
    title: str
    image: BoardImage | None


class FlashScreen(ModalScreen[str | None]):
    """Ends with the URI of the board to talk to, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", id="flash.leave"),
        Binding("w", "write", "Write", id="flash.write"),
        Binding("p", "persist", "Keep without power", id="flash.persist"),
        Binding("r", "look", "Look again", id="flash.look"),
        Binding("t", "talk", "Talk to it", id="flash.talk"),
    ]

    def __init__(self, find: Callable[[], Flasher]) -> None:
        super().__init__()
        self._find = find
        self._targets: list[Target] = []
        self._plan: FlashPlan | None = None
        self._report: FlashReport | None = None
        self._persist = False
        self._doing = ""
        self._step = ("", 0, 0)
        self._cancel = threading.Event()

    def compose(self) -> ComposeResult:
        """Boards, the plan or the outcome, progress."""
        with Vertical(classes="dialog"):
            yield Static("Flash a board", classes="dialog-title", markup=False)
            yield OptionList(markup=False)
            yield Static("", id="plan", markup=False)
            yield Static("", id="step", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Look for boards, and keep the progress line up to date."""
        self.set_interval(TICK_SECONDS, self._show_step)
        self.action_look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what makes sense now."""
        if action == "write":
            return self._plan is not None and self._report is None and not self._doing
        if action == "talk":
            return self._uri is not None and not self._doing
        if action in ("persist", "look"):
            return not self._doing
        return True

    @property
    def _uri(self) -> str | None:
        port = self._report.plan.port if self._report is not None else None
        return port.uri if port is not None else None

    # Looking

    def action_look(self) -> None:
        """Ask every port what is there."""
        self._plan = self._report = None
        self._begin("looking for boards")
        self._look()

    @work(thread=True)
    def _look(self) -> None:
        try:
            flasher = self._find()
            images = {image.board: image for image in flasher.images()}
            targets = [
                Target(port.board, port, port.title, images.get(port.board or ""))
                for port in flasher.ports()
            ]
            targets += [
                Target(name, None, title, images.get(name))
                for name, title in flasher.boards().items()
            ]
        except Exception as error:
            self._tell(error)
            return
        self.app.call_from_thread(self._list, targets)

    def _list(self, targets: list[Target]) -> None:
        self._targets = targets
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(line(target)) for target in targets)
        options.highlighted = 0 if targets else None
        options.focus()
        self._end("" if any(target.port for target in targets) else NO_PORT)

    # Choosing

    @on(OptionList.OptionSelected)
    def choose(self, message: OptionList.OptionSelected) -> None:
        """Check board and image, and say what would be written."""
        if not self._doing:
            self._choose(self._targets[message.option_index])

    def _choose(self, target: Target) -> None:
        self._plan = self._report = None
        self._begin("checking the image")
        self._check(target, self._persist)

    @work(thread=True)
    def _check(self, target: Target, persist: bool) -> None:
        port = target.port.path if target.port is not None else None
        try:
            plan = self._find().plan(target.board, port=port, persist=persist)
        except Exception as error:
            self._tell(error)
            return
        self.app.call_from_thread(self._take_plan, plan)

    def _take_plan(self, plan: FlashPlan) -> None:
        self._plan = plan
        self._end(describe(plan))

    def action_persist(self) -> None:
        """Write flash memory, which is kept without power, or only the FPGA's own."""
        self._persist = not self._persist
        where = "SPI flash, which is kept" if self._persist else "the FPGA, until power is lost"
        self.notify(f"The image goes into {where}.")
        highlighted = self.query_one(OptionList).highlighted
        if self._plan is not None and highlighted is not None:
            self._choose(self._targets[highlighted])

    # Writing

    @work
    async def action_write(self) -> None:
        """Write, verify, test; flash memory only after asking."""
        plan = self._plan
        if plan is None or self._doing:
            return
        if plan.persist:
            question = (
                f"Overwrite the SPI flash with {plan.image.path.name}? "
                "Do not unplug the board meanwhile."
            )
            if not await self.app.push_screen_wait(Confirm(question, "Overwrite")):
                return
        self._cancel = threading.Event()
        self._begin("writing")
        self._write(plan)

    @work(thread=True)
    def _write(self, plan: FlashPlan) -> None:
        def progress(what: str, done: int, total: int) -> None:
            self._step = (what, done, total)

        try:
            report = self._find().flash(plan, progress=progress, cancel=self._cancel)
        except Exception as error:
            self._tell(error)
            return
        self.app.call_from_thread(self._take_report, report)

    def _take_report(self, report: FlashReport) -> None:
        self._report = report
        self._end(outcome(report))

    def action_talk(self) -> None:
        """Go on with the conversation on the board."""
        self.dismiss(self._uri)

    def action_leave(self) -> None:
        """Stop what is being done; when nothing is, go back."""
        if self._doing == "writing":
            self._cancel.set()
        elif not self._doing:
            self.dismiss(None)

    # What is shown

    def _tell(self, error: Exception) -> None:
        """From a thread: what went wrong, as a sentence."""
        if isinstance(error, Cancelled):
            text = "Stopped. The board can be written again in any state."
        else:
            known = error if isinstance(error, EdgeError) else unexpected(error)
            text = sentence(known.message) + (f"\n{sentence(known.hint)}" if known.hint else "")
        self.app.call_from_thread(self._end, text)

    def _begin(self, what: str) -> None:
        self._doing, self._step = what, (what, 0, 0)
        self.query_one("#plan", Static).update("")
        self.refresh_bindings()

    def _end(self, text: str) -> None:
        self._doing = ""
        self.query_one("#plan", Static).update(printable(text))
        self.refresh_bindings()

    def _show_step(self) -> None:
        what, done, total = self._step
        text = ""
        if self._doing:
            bar = f"{gauge(done, total, BAR)}  {100 * done // total} %  " if total else ""
            text = f"{bar}{what} …" + ("  (esc stops)" if self._doing == "writing" else "")
        self.query_one("#step", Static).update(printable(text, newlines=False))


def line(target: Target) -> Text:
    """Board, port, what runs there, and which image there is."""
    port = target.port
    text = Text(printable(target.board or "unknown board", newlines=False), "bold")
    where = f"at {port.path}" if port is not None else "without a port"
    runs = ""
    if port is not None:
        runs = port.trouble or (f"runs {port.build}" if port.build else "runs nothing of ours")
    image = f"image {target.image.build or 'of your own'}" if target.image else "no image at hand"
    facts = "  ·  ".join(filter(None, (where, runs, image, target.title)))
    text.append("  " + printable(facts, newlines=False), "dim")
    return text


def describe(plan: FlashPlan) -> str:
    """What would be written, and where."""
    image = plan.image
    if plan.already:
        return f"{image.board} runs this image already; w tests it. p writes the SPI flash instead."
    memory = "SPI flash, kept without power" if plan.persist else "the FPGA, until power is lost"
    lines = [
        f"{image.path.name}, checked, for {image.title}",
        *([f"build {image.build}"] if image.build else []),
        f"SHA-256 {image.sha256[:16]}…",
        f"w writes it into {memory}.",
    ]
    return "\n".join(lines)


def outcome(report: FlashReport) -> str:
    """What was written, and what the board computed with it."""
    done = "Nothing had to be written" if report.plan.already else "Written and verified"
    text = f"{done}, in {seconds(report.seconds)}."
    if report.build is None or report.self_test is None:
        return f"{text}\nThere is no port, so nobody asked the board what it runs."
    test = report.self_test
    return (
        f"{text}\nThe board runs build {report.build}.\n"
        f"Self-test: {test.tokens} tokens equal the integer model's, all scores,\n"
        f"in {test.cycles} cycles. t goes on with the conversation there."
    )
