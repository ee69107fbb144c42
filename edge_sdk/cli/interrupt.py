"""Makes the first Ctrl+C stop an answer and the second one the program, and `kill` end in order.

It knows the signals; it does not know what is stopped.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """Give an event that Ctrl+C sets inside the block; once it is set, KeyboardInterrupt again."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        # Only the main thread gets signals; elsewhere the caller has its own way to stop.
        yield stop
        return
    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def end_in_order() -> Iterator[None]:
    """Let `kill` and a terminal that closes unwind the program, as Ctrl+C does: SystemExit.

    So a file that is half written goes, and the app gives the terminal back as it was.
    """
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        names = []

    def end(number: int) -> None:
        raise SystemExit(128 + number)

    def handle(number: int, frame: FrameType | None) -> None:
        # Within a task of the app's event loop, the error would be that task's: between two of
        # them, it ends the loop. Where asyncio was never imported, no loop runs.
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None:
            with suppress(RuntimeError):
                asyncio.get_running_loop().call_soon_threadsafe(end, number)
                return
        end(number)

    # One that is ignored, as by nohup, stays so.
    ours = [
        number
        for number in (getattr(signal, name) for name in names)
        if signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in ours:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
