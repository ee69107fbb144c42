"""What the user set: how answers are written, looks, keys; kept as one JSON file.

It knows names, defaults and limits; it does not know widgets. A file that is damaged, or a value
that is out of range, costs that value only, and is told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from edge_sdk import paths
from edge_sdk.errors import EdgeError, UsageError
from edge_sdk.sampling import Sampler

METERS = ("panel", "line", "off")
"""The readings beside the conversation (where there is room), as one line, or not at all."""

TELL = ("model", "on", "off")
"""Whether the model is told the device's readings before each question; `model`: if it was trained
on them, and the question may be about them."""

MAX_SYSTEM = 8192
"""Characters of the system text."""


def _known(*names: str) -> Callable[[object], bool]:
    return lambda value: value in names


def _whole(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and low <= value <= high


@dataclass(frozen=True)
class Settings:
    """All settings; the sampling ones are those of edge_sdk.Sampler."""

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    max_tokens: int = 256
    """Longest answer."""
    context_limit: int = 1024
    """Tokens after which the oldest turns are left out."""
    system: str = ""
    """Text in front of the first question of each new conversation."""
    tell: str = "model"
    theme: str = "edge"
    meters: str = "panel"
    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys by the id of what they do, where they are not the usual ones: `chat.undo: ctrl+z`."""

    def sampler(self) -> Sampler:
        """A sampler with these settings; raises UsageError where one is out of range."""
        return Sampler(**{name: getattr(self, name) for name in SAMPLING})

    def status(self) -> bool | None:
        """`tell` as edge_sdk.Chat takes it."""
        return {"on": True, "off": False}.get(self.tell)

    def check(self) -> None:
        """Raise UsageError that names the first value that is out of range."""
        self.sampler()
        for name, (fits, expected) in _RULES.items():
            if not fits(getattr(self, name)):
                raise UsageError(
                    f"{name} is {getattr(self, name)!r}; expected {expected}.",
                    hint="leave it out to use the default.",
                )


SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed")

_RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "max_tokens": (_whole(1, 1_000_000), "a whole number from 1"),
    "context_limit": (_whole(16, 100_000_000), "a whole number from 16"),
    "system": (
        lambda value: isinstance(value, str) and len(value) <= MAX_SYSTEM,
        f"a text of at most {MAX_SYSTEM} characters",
    ),
    "tell": (_known(*TELL), f"one of {', '.join(TELL)}"),
    "theme": (lambda value: isinstance(value, str) and value != "", "the name of a theme"),
    "meters": (_known(*METERS), f"one of {', '.join(METERS)}"),
    "keys": (
        lambda value: (
            isinstance(value, Mapping)
            and all(isinstance(k, str) and isinstance(v, str) and v for k, v in value.items())
        ),
        "a map from what a key does to the key",
    ),
}


def settings_file() -> Path:
    """Where they are kept."""
    return paths.config_dir() / "settings.json"


def load(path: Path | None = None) -> tuple[Settings, list[str]]:
    """The settings, and a sentence for each value that could not be taken."""
    path = settings_file() if path is None else path
    try:
        raw: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Settings(), []
    except (OSError, ValueError, RecursionError) as error:
        return Settings(), [f"The settings {str(path)!r} could not be read: {error}."]
    if not isinstance(raw, dict):
        return Settings(), [f"The settings {str(path)!r} hold no map of names and values."]
    settings, troubles = Settings(), []
    names = {each.name for each in fields(Settings)}
    for name, value in raw.items():
        if name not in names:
            troubles.append(f"There is no setting {name!r}.")
            continue
        try:
            changed = replace(settings, **{name: value})
            changed.check()
            settings = changed
        except EdgeError as error:
            troubles.append(f"A setting was left out: {error.message}")
    return settings, troubles


def save(settings: Settings, path: Path | None = None) -> None:
    """Keep what differs from the defaults; raises AccessError."""
    path = settings_file() if path is None else path
    usual = asdict(Settings())
    values = {name: value for name, value in asdict(settings).items() if value != usual[name]}
    paths.ensure(path.parent)
    with paths.write_aside(path) as aside:
        aside.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")
