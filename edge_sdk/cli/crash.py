"""Keeps the traceback of an error that nobody foresaw, and says so in one sentence.

It knows the log file; it does not know what failed. What the user typed is not logged.
"""

from __future__ import annotations

import platform
import time
import traceback
from collections.abc import Sequence

from edge_sdk import __version__, paths
from edge_sdk.errors import EdgeError

LIMIT = 1 << 20
"""Bytes of crash.log after which it starts anew."""


def describe_crash(error: Exception, verb: Sequence[str]) -> dict[str, object]:
    """Log `error` and return it in the shape of EdgeError.to_json."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    trace = "".join(traceback.format_exception(error))
    path = paths.state_dir() / "crash.log"
    try:
        paths.ensure(path.parent)
        fresh = not path.exists() or path.stat().st_size > LIMIT
        with path.open("w" if fresh else "a", encoding="utf-8") as log:
            log.write(
                f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} edge-sdk {__version__} {' '.join(verb)}, "
                f"Python {platform.python_version()}, {platform.platform()}\n{trace}\n"
            )
        where = f"the traceback is in {str(path)!r}"
    except (OSError, EdgeError):
        where = f"the traceback could not be written to {str(path)!r}"
    return {
        "error": "InternalError",
        "message": f"this is a bug in Edge SDK ({what}); {where}.",
        "hint": "please report it with the traceback; EDGE_DEBUG=1 shows it here.",
        "exit_code": EdgeError.exit_code,
    }
