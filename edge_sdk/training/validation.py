"""Bits per byte of the held-out documents, by source and on bot turns.

It knows losses and byte counts; it does not know how the model is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from edge_sdk.training.windows import ValidationWindows

Loss = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
BitsPerByte = dict[str, dict[str, float]]


def bits_per_byte(loss: Loss, windows: ValidationWindows) -> BitsPerByte:
    """For each source `all` (every token over all text) and, for chats, `bot` (answers only).

    `loss` is called with gradients recorded, although none is taken: without them torch would
    compile a second graph, which costs more time than all validations of a run.
    """
    sums: Tensor | None = None
    for batch, kinds, source in windows.batches():
        _, each = loss(batch.ids, batch.targets, batch.mask)
        if sums is None:
            # Row 0 collects the padding, whose source is -1.
            sums = each.new_zeros((len(windows.sources) + 1, 2), dtype=torch.float64)
        rows = torch.stack([(each * (kinds == kind)).sum(1) for kind in (1, 2)], dim=1)
        sums.index_add_(0, source + 1, rows.double())
    nats = sums[1:].tolist() if sums is not None else []
    result: BitsPerByte = {}
    for index, (context, answer) in enumerate(nats):
        text, bot = windows.text_bytes[index], windows.bot_bytes[index]
        scores = {"all": (context + answer) / math.log(2) / max(text, 1)}
        if bot:
            scores["bot"] = answer / math.log(2) / bot
        result[windows.sources[index]] = scores
    return result
