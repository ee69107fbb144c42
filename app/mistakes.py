"""Errors that nobody planned, on the engine's thread.

It knows the log; it does not know what went wrong.
"""

from __future__ import annotations

import os
import traceback

from edge_sdk.errors import EdgeError


def unexpected(error: Exception) -> EdgeError:
    """An error that nobody planned: a sentence for the screen, the traceback for the log."""
    # Not sys.stderr, which Textual takes for itself while it runs.
    os.write(2, "".join(traceback.format_exception(error)).encode(errors="replace"))
    return EdgeError(
        f"something unexpected went wrong: {type(error).__name__}: {error}.",
        hint="the log has the details; please report it with them.",
    )
