"""Puts bitstreams onto boards: image choice, checks, programmers, self-test."""
