"""The one thread that does all tinygrad work, from its first import on.

It knows how to run a function on that thread; it does not know models or devices.

tinygrad's compile cache belongs to the thread that opened it, and its JIT capture and contexts are
global to the process: two threads that use it at the same time break each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import ParamSpec, TypeVar

from edge_sdk.devices.tinygrad.compiler import Compiler, prepare_environment
from edge_sdk.errors import EdgeError, MissingExtra

P = ParamSpec("P")
R = TypeVar("R")

_NAME = "edge-engine"


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=_NAME)


@cache
def compiler() -> Compiler | EdgeError:
    """The C compiler that tinygrad was given, or why there is none; prepares the environment."""
    return prepare_environment()


def _import_tinygrad() -> None:
    compiler()
    try:
        import_module("tinygrad")
    except ImportError as error:
        raise MissingExtra(
            f"the package tinygrad could not be imported: {error}.",
            hint="reinstall edge-sdk: `pip install --force-reinstall edge-sdk`.",
        ) from error


def run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function` on the engine thread and return its result, or raise what it raised.

    Calls from different threads take turns, so a call should be short: one token or one chunk.
    """
    if threading.current_thread().name.startswith(_NAME):
        return function(*args, **kwargs)

    def work() -> R:
        _import_tinygrad()
        return function(*args, **kwargs)

    return _thread().submit(work).result()
