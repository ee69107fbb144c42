"""The doors through which the app reaches edge_sdk; tests put others in.

It knows what is opened through each; it does not know when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import edge_sdk
from edge_sdk.history.store import History

if TYPE_CHECKING:
    from edge_sdk.boards import Flasher
    from edge_sdk.chat import Chat
    from edge_sdk.device import Device, DeviceInfo, Session
    from edge_sdk.hub import ModelEntry
    from edge_sdk.model_file import Model
    from edge_sdk.monitor import Monitor
    from edge_sdk.sampling import Sampler


@dataclass(frozen=True)
class Options:
    """What to run, where, and how it answers."""

    model: str
    device: str
    sampling: Sampler
    max_tokens: int
    system: str = ""
    """Text in front of the first question of a conversation."""
    context_limit: int = 1024
    status: bool | None = None
    """Whether the model is told the readings before questions; None: if it was trained on them."""


def _open_device(uri: str) -> Device:
    return edge_sdk.open_device(uri)


def _load_model(name: str) -> Model:
    return edge_sdk.load_model(name)


def _make_chat(session: Session, options: Options, monitor: Monitor) -> Chat:
    return edge_sdk.Chat(
        session,
        sampling=options.sampling,
        max_tokens=options.max_tokens,
        system=options.system or None,
        context_limit=options.context_limit,
        power=monitor.power,
        status=options.status,
    )


def _list_devices() -> list[DeviceInfo]:
    return edge_sdk.list_devices()


def _list_models() -> list[ModelEntry]:
    from edge_sdk.hub import list_models

    return list_models()


def _find_flasher() -> Flasher:
    from edge_sdk.boards import flasher

    return flasher()


@dataclass(frozen=True)
class Backend:
    """All doors."""

    open_device: Callable[[str], Device] = _open_device
    load_model: Callable[[str], Model] = _load_model
    make_chat: Callable[[Session, Options, Monitor], Chat] = _make_chat
    list_devices: Callable[[], list[DeviceInfo]] = _list_devices
    list_models: Callable[[], list[ModelEntry]] = _list_models
    open_history: Callable[[], History] = History
    find_flasher: Callable[[], Flasher] = _find_flasher
