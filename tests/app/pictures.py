"""Takes the pictures of the documentation: the real app with the real model on this machine.

    python -m tests.app.pictures docs/images cpu [another device for the comparison]

What they show was computed and read while they were taken; nothing is made up.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from textual.widgets import Input, Select

from edge_sdk import boards
from edge_sdk.app.backend import Options
from edge_sdk.app.chat_app import EdgeChatApp
from edge_sdk.app.engine import Engine
from edge_sdk.app.screens.compare import CompareScreen
from edge_sdk.sampling import Sampler
from edge_sdk.uri import DeviceURI
from tests.app.conftest import Driver

QUESTIONS = ("Hello!", "Who are you?", "What is the capital of France?")
STORY = "Tell me a short story about a dog."
COMPARED = "Why is the sky blue?"
"""Not a story: where many words are equally likely, two number formats soon choose others."""
SIZE = (120, 36)


@contextmanager
def virtual_board() -> Iterator[str]:
    """A virtual board behind a pseudo-terminal: the port's path."""
    stop, answers = threading.Event(), threading.Event()
    ports: list[str] = []

    def ready(uri: str, what: str) -> None:
        ports.append(DeviceURI.parse(uri).target)
        answers.set()

    serving = threading.Thread(
        target=lambda: boards.simulator().serve("ulx3s-85f", ready=ready, stop=stop), daemon=True
    )
    serving.start()
    assert answers.wait(60)
    yield ports[0]
    stop.set()
    serving.join(10)


async def take(folder: Path, devices: list[str]) -> None:
    engine = Engine(Options("tern", devices[0], Sampler(temperature=0.0), 96))
    app = EdgeChatApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        driver = Driver(app, pilot)

        async def settled() -> None:
            async with asyncio.timeout(300):
                while not driver.prompt.accepts:
                    await pilot.pause(0.05)

        async def picture(name: str) -> None:
            for field in app.screen.query(Input):
                field.cursor_blink = False
            driver.prompt.cursor_blink = False
            await pilot.pause(1.0)
            path = folder / f"{name}.svg"
            path.write_text(app.export_screenshot(title="edge-sdk chat"), "utf-8")
            print(path)

        await settled()
        for question in QUESTIONS:
            driver.prompt.set_text(question)
            await pilot.press("enter")
            await pilot.pause(0.2)
            await settled()
        await pilot.press("ctrl+r")
        await pilot.pause(0.2)
        await settled()
        await picture("chat")
        await pilot.press("ctrl+n")
        await pilot.pause(0.5)
        driver.prompt.set_text(STORY)
        await pilot.press("enter")
        await pilot.pause(0.2)
        await settled()
        await pilot.press("ctrl+o", *"the")
        await picture("history")
        await pilot.press("escape")
        if len(devices) > 1:
            await pilot.press("f5")
            await pilot.pause(0.5)
            screen = app.screen
            assert isinstance(screen, CompareScreen)
            for lane, uri in zip(screen.lanes, devices, strict=False):
                select = lane.query_one(Select)
                async with asyncio.timeout(60):
                    while select.is_blank():
                        await pilot.pause(0.1)
                select.set_options([(uri, uri)])
                select.value = uri
            asked = screen.query_one("#question", Input)
            asked.value = COMPARED
            asked.focus()
            await pilot.press("enter")
            async with asyncio.timeout(600):
                while not screen.finished:
                    await pilot.pause(0.2)
            await picture("compare")
            await pilot.press("escape")
        with virtual_board() as port:
            os.environ["EDGE_SERIAL_PORTS"] = port
            await pilot.press("f7")
            await pilot.pause(4.0)
            await pilot.press("enter")
            await pilot.pause(1.0)
            await picture("flash")
            await pilot.press("escape")


if __name__ == "__main__":
    os.environ["EDGE_SDK_HOME"] = tempfile.mkdtemp()
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    asyncio.run(take(Path(sys.argv[1]), sys.argv[2:] or ["cpu"]))
