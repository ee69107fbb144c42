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
from edge_sdk.model_file import open_model
from edge_sdk.training.corpus import Document
from edge_sdk.training.model import LanguageModel

DEVICES = ("cpu", "cuda:0")
EACH = 4
"""Documents of each source; the CPU needs about a second for one."""


def compare(
    model: LanguageModel, kind: torch.dtype, held_out: Sequence[Document], packed: Path
) -> dict[str, Any]:
    """Bits per byte over all sources, of the latent weights and of the packed integer model.

    kind: what the products of the latent model are computed in, as it was trained.
    Returns `latent`, `packed` (bits per byte of bot turns and plain text), `relative` difference,
    `by_source` and the `device` that ran the packed file: the CPU, or a GPU where the CPU has no
    compiler. Where neither can, `unavailable` says why.
    """
    with open_model(packed) as file:
        spelt = [bits.spell(document, file) for document in bits.choose(held_out, EACH)]
    model.kind = kind
    # First, as tinygrad leaves a CUDA context of its own current in this thread.
    latent = bits.bits_per_byte(spelt, _latent_losses(model))
    reasons = []
    for uri in DEVICES:
        try:
            integer = _packed(packed, uri, spelt)
            break
        except (EdgeError, ImportError) as error:
            reasons.append(f"{uri}: {error}")
    else:
        return {"unavailable": " ".join(reasons)}
    sums = [_mean(scores) for scores in (latent, integer)]
    return {
        "latent": sums[0],
        "packed": sums[1],
        "relative": sums[1] / sums[0] - 1 if sums[0] else 0.0,
        "documents": len(spelt),
        "device": uri,
        "by_source": {name: [latent[name]["bot"], integer[name]["bot"]] for name in latent},
    }


def _packed(packed: Path, uri: str, spelt: Sequence[bits.Spelt]) -> dict[str, dict[str, float]]:
    from edge_sdk.registry import open_device

    with (
        open_model(packed) as file,
        open_device(uri) as device,
        closing(device.load(file)) as session,
    ):
        return bits.bits_per_byte(spelt, bits.session_losses(session))


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
