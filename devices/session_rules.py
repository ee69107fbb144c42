"""What every session accepts, whatever it runs on: token ids and saved states.

It knows the checks and their sentences; it does not know how a model is computed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_sdk.device import State
from edge_sdk.errors import ModelRejected, UnsupportedOperation, UsageError
from edge_sdk.model_file import Model


def embed_ids(model: Model, ids: Sequence[int]) -> npt.NDArray[np.float32]:
    """Embedding rows float32 [T, d]; raises UsageError for no ids or one out of range."""
    _check_some(ids)
    return model.embed(ids)


def check_ids(model: Model, ids: Sequence[int]) -> npt.NDArray[np.int32]:
    """`ids` as int32 [T]; raises UsageError for no ids or one out of range."""
    _check_some(ids)
    return model.check_ids(ids).astype(np.int32)


def _check_some(ids: Sequence[int]) -> None:
    if len(ids) == 0:
        raise UsageError(
            "no token ids were given; expected at least one.",
            hint="begin with the model's config.bos_token_id where there is no text.",
        )


def check_state(model: Model, state: State) -> None:
    """Raise ModelRejected unless `state` was taken from a session of this model."""
    config = model.config
    if state.model != model.sha256 or state.hidden.shape != (
        config.num_layers,
        config.hidden_size,
    ):
        raise ModelRejected(
            "the saved state belongs to another model.",
            hint="load the model that the state was taken from, or start anew.",
        )


def session_closed() -> UnsupportedOperation:
    """The error for using a session after close()."""
    return UnsupportedOperation(
        "the session is closed.", hint="load the model again: device.load(model)."
    )
