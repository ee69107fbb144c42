from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge_sdk.model_file import Model
from tests.devices.board.boards import tiny_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """A model of boards.TINY's shape."""
    with tiny_model(tmp_path_factory.mktemp("tiny")) as opened:
        yield opened
