"""The app itself: theme, stylesheet, palette, and the way in and out of the terminal.

It knows what surrounds a screen; it does not know what is on it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from edge_sdk import paths
from edge_sdk.app import keys
from edge_sdk.app.backend import Options
from edge_sdk.app.engine import Engine
from edge_sdk.app.palette import chat_commands
from edge_sdk.app.screens.chat import ChatScreen
from edge_sdk.app.screens.settings import SettingsScreen
from edge_sdk.app.settings import Settings, load, save
from edge_sdk.app.terminal import log_file, private_terminal
from edge_sdk.app.theme import EDGE, THEMES
from edge_sdk.errors import EdgeError
from edge_sdk.history.export import to_json, to_markdown
from edge_sdk.safe_text import printable

SWITCH_SECONDS = 0.0005
"""How long the screen's thread may keep the model's thread waiting for the interpreter. Python's
own 5 ms are ten tokens of a small model."""


class EdgeChatApp(App[int]):
    """Chat with a model on a device of this machine.

    `save_picture` (palette: Save picture) writes the screen as SVG; documentation uses it too.
    """

    TITLE = "Edge SDK"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", id="app.quit", priority=True),
    ]

    def __init__(self, engine: Engine, settings: Settings | None = None) -> None:
        super().__init__()
        self.engine = engine
        self.settings = Settings() if settings is None else settings
        """What the user set."""
        self.troubles: list[str] = []
        """What is to be said once the app is on the screen."""
        self.chat = ChatScreen(engine)
        for theme in THEMES:
            self.register_theme(theme)
        self._show_looks()

    def get_default_screen(self) -> Screen[None]:
        """The conversation is the first thing on the screen."""
        return self.chat

    def on_mount(self) -> None:
        """Say what was wrong with the settings."""
        for trouble in self.troubles:
            self.notify(printable(trouble), severity="warning", markup=False, timeout=10)

    def _show_looks(self) -> None:
        settings = self.settings
        known = settings.theme in self.available_themes
        self.theme = settings.theme if known else EDGE.name
        self.chat.show_meters(settings.meters)
        try:
            keys.check(settings.keys)
        except EdgeError as error:
            self.troubles.append(f"The keys of the settings were left out: {error.message}")
        else:
            self.set_keymap(dict(settings.keys))

    def watch_theme(self, theme: str) -> None:
        """Keep a theme that was chosen in the palette."""
        if self.is_running and theme != self.settings.theme:
            self._keep(replace(self.settings, theme=theme))

    def _keep(self, settings: Settings) -> bool:
        """Keep settings in the file; whether that worked, else it is said."""
        self.settings = settings
        try:
            save(settings)
        except EdgeError as error:
            self.notify(error.message, severity="error", markup=False)
            return False
        return True

    @work
    async def action_settings(self) -> None:
        """Change the settings, keep them, and let the next answer have them."""
        settings = replace(self.settings, theme=self.theme)
        screen = SettingsScreen(
            settings,
            self.available_themes,
            keys.choices(),
            lambda changed: keys.check(changed.keys),
        )
        changed = await self.push_screen_wait(screen)
        if changed is None:
            return
        kept = self._keep(changed)
        self._show_looks()
        self.refresh_bindings()
        options = self.engine.options
        self.engine.configure(
            replace(
                options,
                sampling=changed.sampler(),
                max_tokens=changed.max_tokens,
                system=changed.system,
                context_limit=changed.context_limit,
                status=changed.status(),
            )
        )
        where = ", and are kept" if kept else ""
        self.notify(f"The settings hold from the next answer on{where}.")

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
    model: str,
    device: str,
    given: Mapping[str, float | int | str | None],
    *,
    resume: bool = False,
) -> int:
    """Run the app on this terminal until the user quits; returns the exit code.

    given: settings that hold for this run only, by the names of edge_sdk.app.settings.Settings.
    resume: go on with the conversation that was used last. stdin and stdout must be terminals.
    Raises UsageError for a value out of range, AccessError where the log cannot be written.
    """
    kept, troubles = load()
    settings = replace(kept, **given)  # type: ignore[arg-type]
    settings.check()
    options = Options(
        model,
        device,
        settings.sampler(),
        settings.max_tokens,
        settings.system,
        settings.context_limit,
        settings.status(),
    )
    return run(Engine(options, resume_last=resume), settings, troubles)


def run(engine: Engine, settings: Settings | None = None, troubles: Iterable[str] = ()) -> int:
    """Run the app with a given engine; what made it give up is printed after the screen is gone."""
    app = EdgeChatApp(engine, settings)
    app.troubles.extend(troubles)
    log = log_file()
    sys.setswitchinterval(SWITCH_SECONDS)
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
