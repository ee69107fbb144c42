"""Measures how the app feels: in a real terminal, with the real model, as a person would use it."""
