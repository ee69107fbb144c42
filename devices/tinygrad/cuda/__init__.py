"""The fast path on NVIDIA cards: CUDA kernels compiled by NVRTC and loaded through tinygrad.

It knows how a packed model runs on one card; it imports tinygrad only when a model is loaded.
"""
