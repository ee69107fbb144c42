"""The terminal chat app (Textual); it talks to edge_sdk only, never to a device."""
