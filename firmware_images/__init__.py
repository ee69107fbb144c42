"""Bitstreams for FPGA boards and the gateware that they are built from; data only at run time."""
