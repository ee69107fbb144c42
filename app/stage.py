"""A device, the model on it and the conversation with it, opened and closed together.

It knows in which order; it does not know requests or what is said on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_sdk.app.backend import Backend, Options
from edge_sdk.app.events import Event, Opened, Starting
from edge_sdk.monitor import Monitor

if TYPE_CHECKING:
    from edge_sdk.chat import Chat
    from edge_sdk.device import Device, Session
    from edge_sdk.model_file import Model


@dataclass
class Stage:
    """What runs now."""

    options: Options
    device: Device
    monitor: Monitor
    model: Model
    session: Session
    chat: Chat

    def close(self, *, keep_device: bool = False) -> None:
        """Free the model; and the device, unless another stage goes on with it."""
        with ExitStack() as stack:
            stack.callback(self.model.close)
            if not keep_device:
                stack.callback(self.device.close)
                stack.callback(self.monitor.stop)
            stack.callback(self.session.close)


def open_stage(
    backend: Backend, options: Options, say: Callable[[Event], None], on: Stage | None = None
) -> Stage:
    """Open the device, load the model and begin a conversation; raises EdgeError.

    on: a stage whose open device is used, and which stays what it is.
    """
    with ExitStack() as undo:
        if on is None:
            say(Starting(f"opening {options.device}"))
            device = backend.open_device(options.device)
            undo.callback(device.close)
            monitor = Monitor(device.telemetry)
            monitor.start()
            undo.callback(monitor.stop)
            say(Opened(device.info, monitor))
        else:
            device, monitor = on.device, on.monitor
        say(Starting(f"loading {options.model}"))
        model = backend.load_model(options.model)
        undo.callback(model.close)
        session = device.load(
            model, progress=lambda step, done, total: say(Starting(step, done, total))
        )
        undo.callback(session.close)
        chat = backend.make_chat(session, options, monitor)
        undo.pop_all()
    return Stage(options, device, monitor, model, session, chat)
