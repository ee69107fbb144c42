"""The structure that every CUDA kernel is given.

It knows base.cu's fields; it does not know what lies at the addresses.
"""

from __future__ import annotations

import ctypes


class Args(ctypes.Structure):
    """What every kernel is given: base.cu's structure of that name. All fields have 8 bytes."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            *("planes", "vectors", "embed", "embed_scale", "state", "exchange"),
            *("x", "y", "q", "worth", "sum", "ids", "picked", "logits", "live", "kind"),
        )
    )
