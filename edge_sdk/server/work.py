"""One answer, written by the model in a thread of its own and read by the event loop.

It knows how pieces cross from one to the other; it does not know HTTP.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from edge_sdk.device import Cancelled
from edge_sdk.server.request import ChatRequest
from edge_sdk.server.talker import Answer, Talker


class Work:
    """Starts at once; make it on the event loop."""

    def __init__(self, talker: Talker, request: ChatRequest, done: Callable[[], None]) -> None:
        """done: is called, from the thread, when the device is at rest again."""
        self.answer = Answer()
        """The figures, complete after the last piece."""
        self._talker = talker
        self._request = request
        self._done = done
        self._cancel = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        threading.Thread(target=self._run, name="answer", daemon=True).start()

    def stop(self) -> None:
        """End the answer after the token in work."""
        self._cancel.set()

    async def next(self) -> str | None:
        """The next piece, None after the last; raises what went wrong."""
        item = await self._queue.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def rest(self) -> str:
        """All pieces that are still to come."""
        pieces: list[str] = []
        while (piece := await self.next()) is not None:
            pieces.append(piece)
        return "".join(pieces)

    def _run(self) -> None:
        last: Exception | None = None
        try:
            for piece in self._talker.answer(self._request, self._cancel, self.answer):
                self._put(piece)
        except Cancelled:
            pass
        except Exception as error:
            last = error
        finally:
            self._done()
            self._put(last)

    def _put(self, item: str | Exception | None) -> None:
        # The loop is closed where the server ended meanwhile.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
