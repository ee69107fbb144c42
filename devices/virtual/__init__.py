"""Boards without hardware: the integer model, or the compiled RTL, behind the wire protocol."""
