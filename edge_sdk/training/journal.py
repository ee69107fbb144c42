"""What a training run tells: one JSON line an event in a file, short sentences to a person.

It knows files and clocks; it does not know what the events mean.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType


class Journal:
    """Writes events to `path` as they happen and passes sentences to `say`."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self.say = say

    def record(self, event: str, **values: object) -> None:
        """Append one event; flushed, so the log survives a killed run."""
        self._file.write(json.dumps({"event": event, **values}, ensure_ascii=False) + "\n")
        self._file.flush()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
