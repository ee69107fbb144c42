"""Made-up corpus shards for the training tests."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

WORDS = ("the", "a", "dog", "ran", "over", "hill", "big", "small", "happy", "red", "told", "story")


def write_shard(folder: Path, name: str, documents: Iterable[Mapping[str, Any]]) -> Path:
    """Write `name`.jsonl.xz with one document a line."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl.xz"
    text = "".join(json.dumps(document) + "\n" for document in documents)
    path.write_bytes(lzma.compress(text.encode("utf-8")))
    return path


def sentence(random: Random, words: int) -> str:
    """A sentence of random words."""
    return " ".join(random.choice(WORDS) for _ in range(words)).capitalize() + "."


def write_corpus(folder: Path) -> Path:
    """Stories and chats enough to train a nano model for a few steps."""
    random = Random(7)
    stories = [{"src": "stories", "text": sentence(random, 40)} for _ in range(120)]
    chats = [
        {"src": "chatterbot", "turns": [sentence(random, 5), sentence(random, 6)]}
        for _ in range(120)
    ]
    write_shard(folder, "prose", stories)
    write_shard(folder, "chats", chats)
    return folder
