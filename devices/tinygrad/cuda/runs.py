"""The order of launches: tokens one by one, a chunk of a prompt, one step of a batch.

It knows which kernel follows which and on how many blocks; it does not know what they compute, nor
sessions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from edge_sdk.devices.tinygrad.cuda.args import Args
from edge_sdk.devices.tinygrad.cuda.driver import Launch
from edge_sdk.devices.tinygrad.cuda.resident import SMALL, Resident

SCAN = 16
"""Tokens that a warp of edge_scan takes (rows.cu)."""


class Decode:
    """Tokens one after the other in one launch."""

    def __init__(self, resident: Resident, args: Args) -> None:
        self._resident = resident
        self._given, self._total, self._before = ctypes.c_int(), ctypes.c_int(), ctypes.c_uint()
        program = resident.program
        self._launch = program.kernel["decode"].bind(
            resident.stream,
            (program.grid, 1, 1),
            program.threads,
            args,
            self._given,
            self._total,
            self._before,
            shared=program.decode_shared,
            together=True,
        )

    def run(self, given: int, total: int) -> None:
        """Feed args.ids[:given], then the best ids, `total` tokens in all; does not wait."""
        resident = self._resident
        self._given.value, self._total.value = given, total
        self._before.value = resident.fed
        resident.fed = (resident.fed + total) % (1 << 32)
        self._launch()


class Rows:
    """Launches over many rows at a time, for one Args: a session's prompt or a batch."""

    def __init__(self, resident: Resident, args: Args) -> None:
        self._resident = resident
        self._args = args
        self._bound = lru_cache(maxsize=8192)(self._bind)

    def prompt(self, tokens: int, slot: int = 0) -> None:
        """args.ids[:tokens] of one session, up to CHUNK of them; leaves the residuals in args.x."""
        self._run("embed", (tokens, 1, 1), 256, tokens)
        width = self._resident.model.config.hidden_size
        for layer in self._layers(tokens):
            grid, block = (-(-width // 32), 1, 1), 32 * -(-tokens // SCAN)
            self._run("scan", grid, block, layer, tokens, slot)
            self._run("rows_output", (tokens, 1, 1), 256, layer, tokens, 1)

    def step(self, sessions: int) -> None:
        """One token args.ids[s] of each of `sessions` sessions; leaves the best ids in picked."""
        self._run("embed", (sessions, 1, 1), 256, sessions)
        for layer in self._layers(sessions):
            self._run("rows_output", (sessions, 1, 1), 256, layer, sessions, 0)
        self.head(0, sessions)
        self._run("best", (sessions, 1, 1), 1024, sessions)

    def head(self, first: int, rows: int) -> None:
        """args.logits [rows, V] of the residuals from row `first` on."""
        self._run("rows_head", (rows, 1, 1), 256, first, rows)
        self._product("head", self._resident.model.config.num_layers, rows, 2)

    def mixer(self, tokens: int, small: bool) -> None:
        """The products of i, f and g of layer 0 alone, for the self-test."""
        self._product("mixer", 0, tokens, 0, small=small)

    def _layers(self, rows: int) -> Iterator[int]:
        """Every layer up to the point where the recurrence comes, and what comes after it."""
        for layer in range(self._resident.model.config.num_layers):
            self._run("rows_mixer", (rows, 1, 1), 256, layer, rows)
            self._product("mixer", layer, rows, 0)
            yield layer
            self._product("output", layer, rows, 0)
            self._run("rows_gate", (rows, 1, 1), 256, layer, rows)
            self._product("gate", layer, rows, 1)
            self._run("rows_down", (rows, 1, 1), 256, layer, rows)
            self._product("down", layer, rows, 0)

    def _product(
        self, name: str, layer: int, rows: int, which: int, small: bool | None = None
    ) -> None:
        """which: whether its matrix has d, I or V rows (0, 1, 2)."""
        small = rows <= SMALL if small is None else small
        tile, height = (32, 32) if small else (128, 128)
        if name == "gate":
            height //= 2  # of both halves
        groups = self._resident.layout.groups[which]
        grid = (-(-rows // tile), -(-groups * 4 // height), 3 if name == "mixer" else 1)
        shared = 0 if small else self._resident.program.product_shared
        kind = "small" if small else "big"
        self._run(f"{kind}_{name}", grid, 256, layer, rows, shared=shared)

    def _run(
        self, name: str, grid: tuple[int, int, int], block: int, *values: int, shared: int = 0
    ) -> None:
        self._bound(name, grid, block, values, shared)()

    def _bind(
        self, name: str, grid: tuple[int, int, int], block: int, values: Any, shared: int
    ) -> Launch:
        kernel = self._resident.program.kernel[name]
        numbers = [ctypes.c_int(value) for value in values]
        return kernel.bind(self._resident.stream, grid, block, self._args, *numbers, shared=shared)
