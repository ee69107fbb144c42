"""Whether a call is computed by all threads or by the calling one alone.

Where another program takes a core, threads that wait for each other are slower than one. It knows
seconds and the system's count of interrupted threads; it does not know what is computed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

WINDOW = 0.03
"""Seconds of computing, at least, for a measurement."""
LEAST_CALLS = 3
LONGEST = 1.0
"""Seconds until the slower way is measured again: WINDOW at first, then doubled up to this."""
INTERRUPTIONS = 150.0
"""Of each thread, in a second, from which on a lone thread is tried. Measured with two
threads on Linux 6.18: 30 to 50 on a quiet machine, 1000 to 3000 where a program has a core."""


def interruptions() -> int:
    """How often the system took the processor from a thread of this process; 0 if unknown."""
    if sys.platform == "win32":
        return 0
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_nivcsw


class Contention:
    """Decides by measuring calls of one kind: `alone` says how the next one should be computed.

    All threads compute until they are interrupted often. Then the other way is tried for a moment,
    and the faster one kept, for longer each time. On a quiet machine nothing is computed alone.
    """

    def __init__(
        self,
        threads: int,
        interruptions: Callable[[], int] = interruptions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.alone = False
        """True: by the calling thread alone."""
        self._many = threads * INTERRUPTIONS
        self._interruptions, self._clock = interruptions, clock
        self._kept = 0.0  # seconds a call of the way that was kept before a trial
        self._hold = WINDOW
        self._measure(alone=False, seconds=WINDOW, trial=False)

    def count(self, seconds: float) -> None:
        """A call took so many seconds, computed as `alone` said."""
        self._calls += 1
        self._seconds += seconds
        if self._seconds < self._until or self._calls < LEAST_CALLS:
            return
        each = self._seconds / self._calls
        if self._trial:
            self._hold = min(2 * self._hold, LONGEST)
            keep = self.alone if each < self._kept else not self.alone
            self._measure(keep, self._hold, trial=False)
        elif self.alone or self._interrupted():
            self._kept = each
            self._measure(not self.alone, WINDOW, trial=True)
        else:
            self._hold = WINDOW
            self._measure(alone=False, seconds=WINDOW, trial=False)

    def _interrupted(self) -> bool:
        # Between calls, too: other threads of the process are counted then.
        passed = self._clock() - self._since
        return self._interruptions() - self._before >= self._many * passed

    def _measure(self, alone: bool, seconds: float, trial: bool) -> None:
        self.alone, self._trial = alone, trial
        self._until, self._calls, self._seconds = seconds, 0, 0.0
        self._before, self._since = self._interruptions(), self._clock()
