"""Keeps Python's garbage collector from holding the screen up.

It knows when there is time for it; it does not know what is collected. Widgets are many objects
that live long: to look at all of them took 0.15 to 0.4 s, once a second, in which no key was taken
and the model stood still. So what has settled is set aside, and looked at again now and then.
"""

from __future__ import annotations

import gc

ALL_EVERY = 16
"""Every so many calls everything is looked at."""


THRESHOLDS = (700, 10, 100)
"""Python's own, but that all objects are looked at ten times less often of itself."""


class Collector:
    """Called where a pause is not felt: when an answer has ended, or a conversation was opened."""

    def __init__(self) -> None:
        self._calls = 0
        gc.set_threshold(*THRESHOLDS)

    def settle(self, *, everything: bool = False) -> None:
        """Free what came and went since the last call, and set the rest aside.

        everything: much of what was set aside may be needed no more.
        """
        self._calls += 1
        if everything or self._calls % ALL_EVERY == 0:
            gc.unfreeze()
        gc.collect()
        gc.freeze()
