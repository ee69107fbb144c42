"""Windows of tokens on the training device: random ones to train on, fixed ones to validate on.

It knows how streams become batches of ids, targets and masks; it does not know the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edge_sdk.errors import NotFound
from edge_sdk.training.tokens import TokenDocument, TokenStream
from edge_sdk.training.vocabulary import EOD


@dataclass(frozen=True)
class Batch:
    """ids and targets int64 [B, T]; mask uint8 [B, T] selects the targets that count."""

    ids: Tensor
    targets: Tensor
    mask: Tensor


class RandomWindows:
    """Random windows of one stream, held on the device; seeded.

    A window begins where a document begins, unless it lies deep inside a long one: an answer whose
    question was cut off would teach the model to make up what it never saw.
    """

    def __init__(
        self, stream: TokenStream, rows: int, context: int, device: torch.device, seed: int
    ) -> None:
        self._starts = len(stream.ids) - context
        if self._starts < 1:
            raise NotFound(
                f"the training text has {len(stream.ids)} tokens; one window needs {context + 1}.",
                hint="add more text to the corpus folder.",
            )
        self.tokens = len(stream.ids)
        self._ids = torch.from_numpy(stream.ids).to(device)
        self._mask = torch.from_numpy(stream.mask).to(device)
        self._first = torch.from_numpy(stream.starts).to(device)
        self._context = context
        self._rows = rows
        self._offsets = torch.arange(context + 1, device=device)
        self._generator = torch.Generator(device=device).manual_seed(seed)

    def draw(self) -> Batch:
        """The next batch."""
        starts = torch.randint(
            self._starts,
            (self._rows, 1),
            device=self._offsets.device,
            generator=self._generator,
        )
        own = torch.searchsorted(self._first, starts, right=True) - 1
        first = self._first[own.clamp(min=0)].clamp(max=self._starts - 1)
        starts = torch.where(starts - first < self._context, first, starts)
        where = starts + self._offsets
        window = self._ids[where].long()
        return Batch(
            window[:, :-1].contiguous(),
            window[:, 1:].contiguous(),
            self._mask[where[:, 1:]].contiguous(),
        )


class ValidationWindows:
    """Every held-out token once, in batches of the training shape, so one compiled graph serves.

    Each source's documents follow each other; the rest of its last window is masked out.
    """

    def __init__(
        self,
        documents: Sequence[TokenDocument],
        rows: int,
        context: int,
        device: torch.device,
    ) -> None:
        self.sources = sorted({document.source for document in documents})
        windows: list[tuple[np.ndarray, np.ndarray, np.ndarray, int]] = []
        self.text_bytes, self.bot_bytes = [], []
        for number, source in enumerate(self.sources):
            own = [document for document in documents if document.source == source]
            self.text_bytes.append(sum(document.text_bytes for document in own))
            self.bot_bytes.append(sum(document.bot_bytes for document in own))
            windows += _cut(own, number, context)
        empty = np.full(context, EOD), np.full(context, EOD), np.zeros(context, np.int64), -1
        windows += [empty] * (-len(windows) % rows)
        self._rows = rows
        self._ids, self._targets, self._kinds = (
            torch.from_numpy(np.stack([window[part] for window in windows]).astype(np.int64)).to(
                device
            )
            for part in range(3)
        )
        self._source = torch.tensor([window[3] for window in windows], device=device)

    def batches(self) -> Iterator[tuple[Batch, Tensor, Tensor]]:
        """Batches with the kind of each target (0 padding, 1 context, 2 bot or text) [B, T] and
        the index of each row's source [B], -1 for a row of padding."""
        for start in range(0, len(self._ids), self._rows):
            part = slice(start, start + self._rows)
            kinds = self._kinds[part]
            mask = (kinds > 0).to(torch.uint8)
            yield Batch(self._ids[part], self._targets[part], mask), kinds, self._source[part]


def _cut(
    documents: Sequence[TokenDocument], number: int, context: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    targets = np.concatenate([document.ids for document in documents])
    kinds = 1 + np.concatenate([document.mask for document in documents]).astype(np.int64)
    ids = np.concatenate([[EOD], targets[:-1]])
    fill = -len(targets) % context
    ids, targets = (np.pad(part, (0, fill), constant_values=EOD) for part in (ids, targets))
    kinds = np.pad(kinds, (0, fill))
    return [
        (ids[at : at + context], targets[at : at + context], kinds[at : at + context], number)
        for at in range(0, len(ids), context)
    ]
