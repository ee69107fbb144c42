"""A tiny model that knows every byte and a chat template, for the real CPU device."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import CHAT, CONFIG, byte_tokenizer
from tests.helpers import packed_model


@pytest.fixture(scope="session")
def tiny_chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    return packed_model(folder, CONFIG, tokenizer=byte_tokenizer(), chat=CHAT)
