"""The tokens of a run: made by the process that leads, read by the others, cut into windows.

It knows both stages' streams and their files; it does not know text sources or the model.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from edge_sdk.training.corpus import Corpus
from edge_sdk.training.recipe import Recipe
from edge_sdk.training.tokens import TokenDocument, TokenStream, join, mix, tokenise
from edge_sdk.training.trainer import Data
from edge_sdk.training.windows import RandomWindows, ValidationWindows
from edge_sdk.training.workers import Workers

WORKERS = 14
"""Most processes that tokenise; more do not shorten the set-up, which waits for the compiler."""


@dataclass(frozen=True)
class Streams:
    """The tokens of both stages, and held-out documents (none in processes that do not lead)."""

    stage1: TokenStream
    stage2: TokenStream
    held_out: Sequence[TokenDocument] = ()

    def save(self, folder: Path) -> None:
        """Write both stages' tokens for the other processes."""
        self.stage1.save(folder / "stage1.npz")
        self.stage2.save(folder / "stage2.npz")

    @classmethod
    def load(cls, folder: Path) -> Streams:
        """Read what `save` wrote."""
        return cls(TokenStream.load(folder / "stage1.npz"), TokenStream.load(folder / "stage2.npz"))

    def windows(self, recipe: Recipe, device: torch.device, workers: Workers) -> Data:
        """This process's share of every batch; only the leading one validates."""
        rows, context = recipe.rows_of(workers.size), recipe.context
        seed = recipe.seed + 2 * workers.rank
        leads = workers.leads
        return Data(
            RandomWindows(self.stage1, rows, context, device, seed),
            RandomWindows(self.stage2, rows, context, device, seed + 1),
            ValidationWindows(self.held_out, rows, context, device) if leads else None,
        )


def make(corpus: Corpus, checkpoint: Path, recipe: Recipe) -> Streams:
    """Tokenise all text of `corpus` with `checkpoint`/tokenizer.json."""
    path = checkpoint / "tokenizer.json"
    workers = min(WORKERS, max(1, (os.cpu_count() or 1) - 2))
    train = tokenise(corpus.train, path, workers)
    held_out = tokenise(corpus.validation, path, 1)
    return Streams(join(train, recipe.seed), mix(train, recipe), held_out)
