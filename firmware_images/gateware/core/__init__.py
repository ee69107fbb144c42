"""The core: fetches and checks instructions, computes vectors, scales sums, keeps the best.

It knows docs/accelerator-isa.md; it does not know boards, links or how memory and array work.
"""
