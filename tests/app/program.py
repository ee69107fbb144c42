"""What test_terminal runs in a terminal of its own: the app with fakes that print to it.

It knows how stray output comes about; it does not know what is expected of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

from edge_sdk.app.chat_app import run
from edge_sdk.errors import DeviceNotFound
from tests.app.fakes import FakeChat, engine


class NoisyChat(FakeChat):
    """Writes to both descriptors, as C libraries and compilers do, before it answers."""

    def ask(self, text: str, cancel: threading.Event | None = None) -> Iterator[str]:
        os.write(1, b"NOISE-ON-1\n")
        os.write(2, b"NOISE-ON-2\n")
        subprocess.run([sys.executable, "-c", "print('NOISE-OF-CHILD')"], check=True)
        yield from super().ask(text, cancel)


def crash(text: str) -> None:
    """A mistake in the app's own code."""
    raise ZeroDivisionError(text)


if __name__ == "__main__":
    failure = DeviceNotFound("no such device.", hint="plug it in.")
    played = engine(NoisyChat(), opening=failure if "--fail" in sys.argv else None)
    if "--crash" in sys.argv:
        played.ask = crash  # type: ignore[method-assign]
    sys.exit(run(played))
