"""The settings as a form: how answers are written, looks, keys.

It knows fields and their labels; it does not know what a setting changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Select, Static, TextArea

from edge_sdk.app.settings import METERS, TELL, Settings
from edge_sdk.app.widgets.footer import KeyLine
from edge_sdk.errors import EdgeError, UsageError
from edge_sdk.safe_text import printable

NUMBERS = (
    ("temperature", "temperature", "0 takes the likeliest token always"),
    ("top_k", "top k", "choose among so many of the likeliest; 0 is all"),
    ("top_p", "top p", "choose among those that together reach this chance"),
    ("min_p", "min p", "drop those less than this times as likely as the likeliest"),
    ("repetition_penalty", "repetition", "above 1, what was used lately gets less likely"),
    ("seed", "seed", "empty draws differently in each run"),
    ("max_tokens", "answer", "tokens at most"),
    ("context_limit", "context", "tokens after which the oldest turns are left out"),
)
"""Field, label, what it does."""

WHOLE = ("top_k", "seed", "max_tokens", "context_limit")


class SettingsScreen(ModalScreen[Settings | None]):
    """ctrl+s takes what is on the form, escape leaves everything as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="settings.save", priority=True),
        Binding("escape", "cancel", "Leave", id="settings.leave"),
    ]

    def __init__(
        self,
        settings: Settings,
        themes: Iterable[str],
        keys: Iterable[tuple[str, str, str]],
        check: Callable[[Settings], None],
    ) -> None:
        """keys: id, what it does, the usual key; check: raises EdgeError where nothing fits."""
        super().__init__()
        self._settings = settings
        self._themes = sorted(themes)
        self._keys = list(keys)
        self._check = check

    def compose(self) -> ComposeResult:
        """All fields, in the order in which they are needed."""
        with Vertical(classes="dialog"):
            yield Static("Settings", classes="dialog-title", markup=False)
            with VerticalScroll(can_focus=False, classes="form"):
                yield from self._answers()
                yield from self._looks()
                yield from self._key_fields()
            yield Static("", classes="dialog-detail", markup=False)
            yield KeyLine()

    def _answers(self) -> ComposeResult:
        yield Static("ANSWERS", classes="section", markup=False)
        for name, label, text in NUMBERS:
            value = getattr(self._settings, name)
            shown = "" if value is None else f"{value:g}" if isinstance(value, float) else value
            yield from _row(label, Input(str(shown), id=name, compact=True), text)
        told = [(name, name) for name in TELL]
        tell = Select(told, value=self._settings.tell, allow_blank=False, id="tell", compact=True)
        yield from _row("tell readings", tell, "on: before every question")
        yield Static("system text of new conversations", classes="label", markup=False)
        yield TextArea(self._settings.system, id="system", compact=True, tab_behavior="focus")

    def _looks(self) -> ComposeResult:
        yield Static("LOOKS", classes="section", markup=False)
        themes = [(name, name) for name in self._themes]
        theme = self._settings.theme if self._settings.theme in self._themes else "edge"
        chosen = Select(themes, value=theme, allow_blank=False, id="theme", compact=True)
        yield from _row("theme", chosen, "also in the palette")
        meters = [(name, name) for name in METERS]
        shown = self._settings.meters
        chosen = Select(meters, value=shown, allow_blank=False, id="meters", compact=True)
        yield from _row("meters", chosen, "a panel where there is room, a line, or nothing")

    def _key_fields(self) -> ComposeResult:
        yield Static("KEYS", classes="section", markup=False)
        for number, (id, text, usual) in enumerate(self._keys):
            key = self._settings.keys.get(id, usual)
            yield from _row(text, Input(key, id=f"key-{number}", compact=True), f"usually {usual}")

    def action_save(self) -> None:
        """Take the form, or say what does not fit."""
        try:
            settings = self._read()
            settings.check()
            self._check(settings)
        except EdgeError as error:
            said = f"{error.message} {error.hint or ''}"
            self.query_one(".dialog-detail", Static).update(printable(said))
            return
        self.dismiss(settings)

    def _read(self) -> Settings:
        numbers = {name: self._number(name) for name, _, _ in NUMBERS}
        keys = {}
        for number, (id, _, usual) in enumerate(self._keys):
            key = self.query_one(f"#key-{number}", Input).value.strip()
            if key and key != usual:
                keys[id] = key
        return replace(
            self._settings,
            **numbers,  # type: ignore[arg-type]
            system=self.query_one("#system", TextArea).text.strip(),
            tell=str(self.query_one("#tell", Select).value),
            theme=str(self.query_one("#theme", Select).value),
            meters=str(self.query_one("#meters", Select).value),
            keys=keys,
        )

    def _number(self, name: str) -> float | int | None:
        text = self.query_one(f"#{name}", Input).value.strip()
        if not text and name == "seed":
            return None
        try:
            return int(text) if name in WHOLE else float(text)
        except ValueError:
            kind = "whole number" if name in WHOLE else "number"
            raise UsageError(
                f"{name} is {text!r}; expected a {kind}.", hint="esc leaves it as it was."
            ) from None

    def action_cancel(self) -> None:
        """Leave everything as it was."""
        self.dismiss(None)


def _row(label: str, widget: Input | Select[str], text: str) -> ComposeResult:
    with Horizontal(classes="row"):
        yield Static(label, classes="label", markup=False)
        yield widget
        yield Static(text, classes="hint", markup=False)
