"""Tests of the training package; those that need torch are skipped where it is missing."""
