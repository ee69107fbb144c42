"""Packed models that ship with the package; it holds data only."""
