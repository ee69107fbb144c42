"""Tokens over a bad cable: those of a clean one, or a typed error; never a wrong one.

`pytest -s` prints the table; FAULT_TOKENS=10000 makes it long.
"""

from __future__ import annotations

import os
from itertools import pairwise

import numpy as np
import pytest

from edge_sdk.device import Candidates
from edge_sdk.devices.board.session import BoardSession
from edge_sdk.devices.virtual.faults import Rates
from edge_sdk.errors import LinkError
from edge_sdk.model_file import Model
from tests.devices.board.boards import PROMPT, TINY, direct_board, faulty_board

TOKENS = int(os.environ.get("FAULT_TOKENS", "250"))
KINDS = ["drop", "duplicate", "reorder", "flip", "truncate", "delay", "all"]


@pytest.fixture(scope="module")
def wanted(model: Model) -> list[Candidates]:
    """What a clean link gives: a prompt, then greedy tokens."""
    with direct_board() as device:
        session = device.load(model)
        found = [session.feed(PROMPT)]
        while len(found) <= TOKENS:
            found.append(session.feed([_next(found[-1], len(found))]))
        return found


def _next(candidates: Candidates, index: int) -> int:
    """Greedy, with a wanderer now and then: tiny models soon repeat themselves."""
    return index % TINY.vocab_size if index % 7 == 0 else candidates.best()


@pytest.mark.parametrize("percent", [1, 2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_tokens_over_a_bad_cable_are_those_of_a_clean_one(
    kind: str, percent: int, wanted: list[Candidates], model: Model
) -> None:
    device = faulty_board(Rates.parse(f"{kind}={percent / 100}"), seed=percent)
    session, errors = _loaded(device, model)
    wrong = tokens = 0
    for index, (before, after) in enumerate(pairwise(wanted), start=1):
        ids = [_next(before, index)]
        while True:
            try:
                found = session.feed(ids)
                break
            except LinkError:
                # The session is where it was, so the same call is right again.
                errors += 1
        tokens += 1
        same = np.array_equal(found.ids, after.ids)
        wrong += not (same and np.array_equal(found.logits, after.logits))
    transport = device.client.transport
    print(
        f"{kind:>9} {percent} %: {tokens} tokens, {transport.injected:4} faults, "  # type: ignore[attr-defined]
        f"{device.client.repeats:4} repeats, {errors} typed errors, {wrong} wrong tokens"
    )

    assert (tokens, wrong) == (TOKENS, 0)
    assert session.position == len(PROMPT) + TOKENS
    assert transport.injected > 0  # type: ignore[attr-defined]


def _loaded(device: object, model: Model) -> tuple[BoardSession, int]:
    """The model on the board and the prompt in it, and the errors on the way there."""
    errors = 0
    while True:
        try:
            session: BoardSession = device.load(model)  # type: ignore[attr-defined]
            break
        except LinkError:
            errors += 1
    while True:
        try:
            session.feed(PROMPT)
            return session, errors
        except LinkError:
            errors += 1


def test_a_snapshot_over_a_bad_cable_is_exact(model: Model) -> None:
    with direct_board() as clean:
        reference = clean.load(model)
        reference.feed(PROMPT)
        state = reference.snapshot()
    session, _ = _loaded(faulty_board(Rates.parse("all=0.03"), seed=9), model)
    for _ in range(20):
        found = session.snapshot()
        assert np.array_equal(found.hidden, state.hidden)
        session.reset()
        session.restore(state)
        session._since = [0]  # so that the next snapshot is read from the board
