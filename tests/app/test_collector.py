"""What is set aside, and what is freed when."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from edge_sdk.app.collector import ALL_EVERY, Collector


class Ring:
    """Garbage that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collector() -> Iterator[Collector]:
    thresholds = gc.get_threshold()
    gc.disable()
    yield Collector()
    gc.unfreeze()
    gc.enable()
    gc.set_threshold(*thresholds)


def test_what_came_and_went_is_freed_and_the_rest_is_set_aside(collector: Collector) -> None:
    kept, gone = Ring(), weakref.ref(Ring())
    collector.settle()
    assert gone() is None
    assert kept.itself is kept
    assert not any(thing is kept for thing in gc.get_objects())


def test_what_was_set_aside_is_freed_now_and_then(collector: Collector) -> None:
    for everything in (True, False):
        kept = Ring()
        collector.settle()
        alive = weakref.ref(kept)
        del kept
        collector.settle()
        assert alive() is not None
        if everything:
            collector.settle(everything=True)
        else:
            for _ in range(ALL_EVERY):
                collector.settle()
        assert alive() is None
