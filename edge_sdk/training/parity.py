"""How far the packed integer model lies from the latent one that was trained, on held-out text.

It knows both ways to compute losses; it does not know training.
"""
# mypy: allow-untyped-decorators

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from edge_sdk.errors import EdgeError
from edge_sdk.evaluation import bits
from edge_sdk.training.corpus import Document
from edge_sdk.training.model import LanguageModel

EACH = 4
"""Documents of each source; the CPU needs about a second for one."""


def compare(
    model: LanguageModel, kind: torch.dtype, held_out: Sequence[Document], packed: Path
) -> dict[str, Any]:
    """Bits per byte over all sources, of the latent weights and of the packed file on the CPU.

    kind: what the products of the latent model are computed in, as it was trained.
    Returns `latent`, `packed` (bits per byte of bot turns and plain text), `relative` difference
    and `by_source`; or `unavailable`, why the packed file could not run here.
    """
    from edge_sdk.model_file import open_model
    from edge_sdk.registry import open_device

    try:
        with (
            open_model(packed) as file,
            open_device("cpu") as device,
            closing(device.load(file)) as session,
        ):
            spelt = [bits.spell(document, file) for document in bits.choose(held_out, EACH)]
            integer = bits.bits_per_byte(spelt, bits.session_losses(session))
    except (EdgeError, ImportError) as error:
        return {"unavailable": str(error)}
    model.kind = kind
    latent = bits.bits_per_byte(spelt, _latent_losses(model))
    sums = [_mean(scores) for scores in (latent, integer)]
    return {
        "latent": sums[0],
        "packed": sums[1],
        "relative": sums[1] / sums[0] - 1 if sums[0] else 0.0,
        "documents": len(spelt),
        "by_source": {name: [latent[name]["bot"], integer[name]["bot"]] for name in latent},
    }


def _latent_losses(model: LanguageModel) -> bits.Losses:
    device = model.model.embeddings.weight.device

    @torch.no_grad()
    def losses(ids: Sequence[int]) -> np.ndarray:
        row = torch.tensor([list(ids)], device=device)
        each = model.losses(row[:, :-1].contiguous(), row[:, 1:].contiguous())
        return np.asarray(each[0].double().cpu().numpy())

    return cast(bits.Losses, losses)


def _mean(scores: dict[str, dict[str, float]]) -> float:
    return sum(own["bot"] for own in scores.values()) / max(len(scores), 1)
