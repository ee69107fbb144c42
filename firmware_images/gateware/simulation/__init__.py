"""The gateware as a compiled program: its C++ harness, its memory chip, and how it is built."""
