"""What the kill -9 test runs: writes turns for ever and tells of each one that is kept."""

from __future__ import annotations

import sys
from pathlib import Path

from edge_sdk.history.store import History
from tests.fake_session import talk
from tests.history.trees import keep

if __name__ == "__main__":
    history = History(Path(sys.argv[1]))
    while True:
        chat, _ = talk("answer " * 8, context_limit=10_000)
        key = history.begin("question 0")
        parent = None
        for number in range(8):
            history.draft(key, f"question {number}")
            print("draft", key, number, flush=True)
            list(chat.ask(f"question {number}"))
            parent = keep(history, key, chat.turns[-1], parent)
            print("kept", key, number, flush=True)
