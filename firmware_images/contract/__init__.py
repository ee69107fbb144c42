"""What the gateware and its host agree on: instructions, messages, tables, sizes.

It holds definitions only, so that both sides import it and neither imports the other.
"""
