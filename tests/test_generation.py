"""What is fed when, and what the state is wherever the caller stops."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.errors import DeviceDisconnected, UsageError
from edge_sdk.generation import generate
from edge_sdk.sampling import Sampler
from tests.fake_session import GREEDY, FakeSession, letters, scripted, state_after

PROMPT = [2, 76, 3]


def test_it_ends_at_a_stop_id_which_is_not_fed() -> None:
    session = FakeSession(choose=scripted("tern"))
    run = generate(session, PROMPT, sampling=GREEDY)
    assert list(run) == letters("tern")
    assert run.stop_reason == "stop"
    assert session.history == (*PROMPT, *letters("tern"))
    assert session.feeds == [PROMPT, *([token] for token in letters("tern"))]
    assert list(run) == []


def test_it_ends_after_max_tokens_with_the_last_one_fed() -> None:
    session = FakeSession(choose=scripted("tern"))
    run = generate(session, PROMPT, sampling=GREEDY, max_tokens=2)
    assert list(run) == letters("te")
    assert run.stop_reason == "length"
    assert session.history == (*PROMPT, *letters("te"))


def test_given_stop_ids_replace_those_of_the_model() -> None:
    session = FakeSession(choose=scripted("tern"))
    stop = letters("r")
    assert list(generate(session, PROMPT, sampling=GREEDY, stop_ids=stop)) == letters("te")
    session.reset()
    run = generate(session, PROMPT, sampling=GREEDY, stop_ids=(), max_tokens=6)
    assert list(run) == [*letters("tern"), 1, 1]


def test_nothing_happens_before_the_first_token_is_asked_for() -> None:
    session = FakeSession()
    generate(session, PROMPT)
    assert session.feeds == []


@given(read=st.integers(0, 12), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_state_is_that_of_prompt_and_ids_handed_out(read: int, seed: int) -> None:
    """Wherever the caller looks or leaves."""
    session = FakeSession()
    run = generate(session, PROMPT, sampling=Sampler(seed=seed), max_tokens=8)
    seen: list[int] = []
    for token in islice(run, read):
        seen.append(token)
        assert session.hidden.tolist() == state_after(session, [*PROMPT, *seen])
    assert seen == run.tokens
    assert session.history == ((*PROMPT, *seen) if read else ())


@pytest.mark.parametrize("tokens", range(5))
def test_cancel_ends_it_quietly_at_every_token(tokens: int) -> None:
    session = FakeSession(choose=scripted("a long answer"))
    cancel = threading.Event()
    run = generate(session, PROMPT, sampling=GREEDY, cancel=cancel)
    seen = list(islice(run, tokens))
    cancel.set()
    assert list(run) == []
    assert run.stop_reason == "cancelled"
    assert session.history == ((*PROMPT, *seen) if tokens else ())


def test_cancel_within_a_feed_leaves_the_token_out() -> None:
    session = FakeSession(choose=scripted("tern"))
    cancel = threading.Event()

    def on_feed(ids: Sequence[int]) -> None:
        if len(session.history) == len(PROMPT) + 2:
            cancel.set()

    session.on_feed = on_feed
    run = generate(session, PROMPT, sampling=GREEDY, cancel=cancel)
    assert list(run) == letters("te")
    assert session.history == (*PROMPT, *letters("te"))


def test_an_error_of_the_device_passes_through() -> None:
    session = FakeSession(choose=scripted("tern"))

    def on_feed(ids: Sequence[int]) -> None:
        if len(session.history) > len(PROMPT):
            raise DeviceDisconnected("the board went away.")

    session.on_feed = on_feed
    run = generate(session, PROMPT, sampling=GREEDY)
    assert next(run) == letters("t")[0]
    with pytest.raises(DeviceDisconnected):
        next(run)
    assert run.tokens == letters("t")


def test_the_penalty_spares_ids_that_end_the_answer() -> None:
    """<|end|> stands in the prompt; penalised, it could hardly end the next answer."""
    session = FakeSession(choose=lambda history: 1 if len(history) > 4 else 70)
    sampler = Sampler(temperature=0.0, repetition_penalty=10.0)
    assert list(generate(session, [1, 2, 65, 3], sampling=sampler)) == [70]


def test_the_penalty_reaches_back_into_the_prompt() -> None:
    session = FakeSession(choose=lambda history: 70)
    plain = generate(session, [70, 80], sampling=GREEDY, max_tokens=1)
    assert list(plain) == [70]
    session.reset()
    sampler = Sampler(temperature=0.0, repetition_penalty=10.0)
    assert list(generate(session, [70, 80], sampling=sampler, max_tokens=1)) != [70]
    session.reset()
    short = Sampler(temperature=0.0, repetition_penalty=10.0, repetition_window=1)
    assert list(generate(session, [70, 80], sampling=short, max_tokens=1)) == [70]


def test_times_are_those_of_the_work() -> None:
    run = generate(FakeSession(choose=scripted("tern")), PROMPT, sampling=GREEDY)
    assert run.prefill_seconds is None
    list(run)
    assert run.prefill_seconds is not None and run.prefill_seconds > 0
    assert run.decode_seconds > 0


@pytest.mark.parametrize(
    ("prompt", "options"),
    [([], {}), (PROMPT, {"max_tokens": 0}), (PROMPT, {"max_tokens": True})],
)
def test_odd_calls_are_refused_at_once(prompt: list[int], options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        generate(FakeSession(), prompt, **options)
