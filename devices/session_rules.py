"""What all sessions share, whatever they run on: who they are, which ids and states they accept.

It knows the checks and their sentences; it does not know how a model is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from edge_sdk.device import State
from edge_sdk.errors import ModelRejected, UnsupportedOperation, UsageError
from edge_sdk.model_file import Model

D = TypeVar("D")


class LoadedSession(Generic[D]):
    """The part of edge_sdk.device.Session that says what runs where, and how far it is."""

    def __init__(self, device: D, model: Model) -> None:
        self._device, self._model = device, model
        self._position = 0

    @property
    def model(self) -> Model:
        """The model that runs."""
        return self._model

    @property
    def device(self) -> D:
        """The device that it runs on."""
        return self._device

    @property
    def position(self) -> int:
        """Tokens fed since the last reset."""
        return self._position


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
