"""Memories behind ports.MemorySignature, and the queue that lets a pipeline run without stops."""
