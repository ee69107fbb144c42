"""The terminal chat app (Textual); it talks to edge_sdk only, never to a device."""

import os

# Textual waits so many milliseconds before it takes escape for itself and not for the beginning of
# another key; its 100 would be half of the time in which an answer has to stop.
os.environ.setdefault("ESCDELAY", "50")

# A key that comes just after a piece of the answer waits for the next frame: 8 ms, not 16.
os.environ.setdefault("TEXTUAL_FPS", "120")
