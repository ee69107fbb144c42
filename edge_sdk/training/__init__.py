"""Quantisation-aware training of MatMul-free language models (optional extra `train`).

It knows how to reach the training modules with a helpful error; it does not import torch itself,
and nothing else in the SDK does.
"""

from __future__ import annotations

from importlib.util import find_spec

from edge_sdk.errors import MissingExtra

NEEDED = ("torch", "tokenizers", "numpy")


def require_extra() -> None:
    """Raise MissingExtra, naming the absent packages, unless training can start."""
    absent = [name for name in NEEDED if find_spec(name) is None]
    if absent:
        raise MissingExtra(
            f"training needs {' and '.join(absent)}, which this Python does not have.",
            hint='pip install "edge-sdk[train]"',
        )
