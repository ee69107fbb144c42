"""Conversations that outlive the program: a tree of turns and the file that keeps it."""
