"""The accelerator as hardware, in Amaranth: what the bitstreams are built from.

Nothing of it is imported when a model runs; it needs the extra `gateware`.
"""
