"""The structures of types.h as ctypes: what Python fills in for the C kernels.

It knows the order of the fields, which types.h fixes; it does not know what the kernels do with
them. Every field is 8 bytes on every machine.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum


class Op(IntEnum):
    """What the entry function does with a Work."""

    ADVANCE = 0
    WORK = 1
    MEASURE = 2
    ACCUMULATE = 3
    QUANTISE = 4
    ACTIVATE = 5
    READ = 6


class Matrix(ctypes.Structure):
    """A packed ternary matrix with its inner norm."""

    _fields_ = (
        ("planes", ctypes.c_void_p),
        ("norm", ctypes.c_void_p),
        ("step", ctypes.c_double),
        *((name, ctypes.c_int64) for name in ("rows", "width", "five")),
    )


class Layer(ctypes.Structure):
    """One layer's vectors and matrices."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("attn_norm", "g_norm", "mlp_norm", "bound")),
        *((name, Matrix) for name in ("i", "f", "g", "o", "gate", "down")),
    )


class ModelTable(ctypes.Structure):
    """A whole model but for its embedding."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("layers", "width", "inner", "vocab")),
        ("eps", ctypes.c_double),
        ("layer", ctypes.POINTER(Layer)),
        ("norm", ctypes.c_void_p),
        ("head", Matrix),
    )


class Span(ctypes.Structure):
    """A thread's tiles of a region; a cache line of its own."""

    _fields_ = (
        ("left", ctypes.c_uint64),
        ("next", ctypes.c_void_p),
        ("unused", ctypes.c_uint64 * 6),
    )


class Pool(ctypes.Structure):
    """The workers' meeting point; the three first groups have a cache line each."""

    _fields_ = (
        ("region", ctypes.c_uint64 * 8),
        ("done", ctypes.c_uint64 * 8),
        ("bell", ctypes.c_int32),
        ("sleeping", ctypes.c_int32),
        ("stop", ctypes.c_int32),
        ("call", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("futex", "yield", "spins", "threads")),
        ("span", ctypes.c_void_p),
        ("work", ctypes.c_void_p),
        ("kind", ctypes.c_int64),
    )


class Product(ctypes.Structure):
    """One matrix product under way; only C uses it."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in ("matrix", "x", "sum", "worth", "out", "out_stride", "add", "exact")
    )


class Work(ctypes.Structure):
    """One call of the entry function."""

    _fields_ = (
        ("op", ctypes.c_int64),
        ("model", ctypes.POINTER(ModelTable)),
        ("pool", ctypes.POINTER(Pool)),
        ("tokens", ctypes.c_int64),
        ("wanted", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("x", "state", "logits", "scratch")),
        *((name, ctypes.c_int64) for name in ("scratch_bytes", "tier", "row")),
        *((name, ctypes.c_void_p) for name in ("temp", "both", "q", "sum", "worth", "tile")),
        *((name, ctypes.c_int64) for name in ("wide", "wide2", "stride", "tile_bytes")),
        ("layer", ctypes.c_void_p),
        ("product", Product * 3),
        ("cut", ctypes.c_int64 * 2),
        ("next", ctypes.c_void_p),
        ("next_products", ctypes.c_int64),
        ("source", ctypes.c_void_p),
        ("target", ctypes.c_void_p),
        ("count", ctypes.c_int64),
    )
