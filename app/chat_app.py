"""The app itself: theme, stylesheet, palette, and the way in and out of the terminal.

It knows what surrounds a screen; it does not know what is on it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from edge_sdk import paths
from edge_sdk.app.backend import Options
from edge_sdk.app.engine import Engine
from edge_sdk.app.palette import chat_commands
from edge_sdk.app.screens.chat import ChatScreen
from edge_sdk.app.terminal import log_file, private_terminal
from edge_sdk.app.theme import EDGE
from edge_sdk.errors import EdgeError
from edge_sdk.history.export import to_json, to_markdown
from edge_sdk.safe_text import printable

if TYPE_CHECKING:
    from edge_sdk.sampling import Sampler


class EdgeChatApp(App[int]):
    """Chat with a model on a device of this machine.

    `save_picture` (palette: Save picture) writes the screen as SVG; documentation uses it too.
    """

    TITLE = "Edge SDK"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", id="app.quit", priority=True),
    ]

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.chat = ChatScreen(engine)
        self.register_theme(EDGE)
        self.theme = EDGE.name

    def get_default_screen(self) -> Screen[None]:
        """The conversation is the first thing on the screen."""
        return self.chat

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Everything that a key does, and more, for the palette (ctrl+p)."""
        if screen is self.chat:
            yield from chat_commands(self.chat)
            yield SystemCommand("Export as Markdown", "Save the conversation", self.action_export)
            yield SystemCommand("Export as JSON", "With all figures", self.action_export_json)
        yield SystemCommand("Save picture", "Save the screen as SVG", self.action_save_picture)
        for command in super().get_system_commands(screen):
            if command.title in ("Theme", "Keys", "Quit"):
                yield command

    def action_export(self) -> None:
        """Write the conversation to a Markdown file in the state folder."""
        archive = self.engine.archive
        self._save("conversations", ".md", to_markdown(archive.title or "Untitled", archive.path))

    def action_export_json(self) -> None:
        """Write the conversation with all figures to a JSON file in the state folder."""
        archive = self.engine.archive
        self._save("conversations", ".json", to_json(archive.title or "Untitled", archive.path))

    def action_save_picture(self) -> None:
        """Write the screen to an SVG file in the state folder."""
        self._save("pictures", ".svg", self.export_screenshot())

    def _save(self, folder: str, suffix: str, text: str) -> None:
        name = time.strftime("%Y-%m-%d %H.%M.%S") + suffix
        try:
            path = self.save_text(paths.state_dir() / folder / name, text)
        except EdgeError as error:
            self.notify(f"{error.message} {error.hint or ''}", severity="error", markup=False)
        else:
            self.notify(f"Saved as {printable(str(path), newlines=False)}", markup=False)

    @staticmethod
    def save_text(path: Path, text: str) -> Path:
        """Write `text` to `path`, whole or not at all; raises AccessError."""
        with paths.write_aside(path) as aside:
            aside.write_text(text, "utf-8")
        return path

    def on_unmount(self) -> None:
        """Give the device back."""
        self.engine.close()


def run_app(
    model: str, device: str, sampling: Sampler, max_tokens: int, *, resume: bool = False
) -> int:
    """Run the app on this terminal until the user quits; returns the exit code.

    resume: go on with the conversation that was used last. stdin and stdout must be terminals.
    Raises AccessError where the log cannot be written.
    """
    return run(Engine(Options(model, device, sampling, max_tokens), resume_last=resume))


def run(engine: Engine) -> int:
    """Run the app with a given engine; what made it give up is printed after the screen is gone."""
    app = EdgeChatApp(engine)
    log = log_file()
    with private_terminal(log):
        app.run()
    if app.return_code:
        print(
            "error: the app stopped because of a mistake of its own.\n"
            f"hint: please report it with the end of {log}.",
            file=sys.stderr,
        )
        return app.return_code
    failure = app.chat.failure
    if failure is not None:
        hint = f"\nhint: {failure.hint}" if failure.hint else ""
        print(printable(f"error: {failure.message}{hint}"), file=sys.stderr)
    return app.chat.exit_code
