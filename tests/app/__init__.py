"""The chat app with a fake device; no model and no terminal is needed, except in test_terminal."""
