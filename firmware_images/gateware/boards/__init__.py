"""Boards: one file each, with its pins, its clock, its memory and what its image is built for."""
