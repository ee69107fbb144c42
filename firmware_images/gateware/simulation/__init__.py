"""What stands around the gateware in a compiled simulation."""
