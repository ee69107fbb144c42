"""The order and the edges of the filters, greedy choice, seeds, and odd input."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.device import Candidates
from edge_sdk.errors import UsageError, VerifyFailed
from edge_sdk.sampling import Sampler, _largest

INF = float("inf")


def candidates(logits: list[float], ids: list[int] | None = None) -> Candidates:
    chosen = list(range(len(logits))) if ids is None else ids
    return Candidates(np.array(chosen, dtype=np.int32), np.array(logits, dtype=np.float32))


def picked(sampler: Sampler, scored: Candidates, times: int = 400) -> set[int]:
    return {sampler.pick(scored) for _ in range(times)}


def everything(**changes: Any) -> Sampler:
    """A sampler without filters."""
    settings: dict[str, Any] = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 1}
    return Sampler(**(settings | changes))


def test_temperature_0_takes_the_largest_and_the_lowest_id_of_equals() -> None:
    greedy = Sampler(temperature=0.0)
    assert greedy.pick(candidates([1, 3, 2])) == 1
    assert greedy.pick(candidates([3, 1, 3])) == 0
    assert greedy.pick(candidates([3, 1, 3], ids=[900, 5, 40])) == 40


def test_penalty_applies_at_temperature_0_and_to_both_signs() -> None:
    greedy = Sampler(temperature=0.0, repetition_penalty=2.0, repetition_window=2)
    assert greedy.pick(candidates([4, 3, 1]), recent=[0]) == 1
    assert greedy.pick(candidates([-4, -3, -5]), recent=[1]) == 0
    # Id 0 is out of the window.
    assert greedy.pick(candidates([4, 3, 1]), recent=[0, 2, 2]) == 0
    off = replace(greedy, repetition_window=0)
    assert off.pick(candidates([4, 3, 1]), recent=[0]) == 0
    assert greedy.pick(candidates([-INF, 3]), recent=[0, 1]) == 1


@given(
    seed=st.integers(0, 1 << 32),
    size=st.sampled_from([1, 63, 200, 5000, 5001]),
    count=st.integers(1, 60),
    values=st.sampled_from([3, 1000, 1 << 24]),
    ordered=st.booleans(),
)
@settings(max_examples=200)
def test_the_largest_are_those_of_a_full_sort(
    seed: int, size: int, count: int, values: int, ordered: bool
) -> None:
    logits = np.random.default_rng(seed).integers(-values, values, size).astype(np.float32)
    if ordered:
        logits.sort()
    ids = np.arange(size)
    order = np.lexsort((ids, -logits))[:count]
    found_ids, found = _largest(ids, logits, count)
    assert found_ids.tolist() == order.tolist()
    assert np.array_equal(found, logits[order])


def test_top_k_keeps_the_lowest_ids_of_equals() -> None:
    assert picked(everything(top_k=2), candidates([1, 1, 1, 1])) == {0, 1}
    assert picked(everything(top_k=2), candidates([0, 5, 5, 5])) == {1, 2}
    assert picked(everything(top_k=50), candidates([1, 1])) == {0, 1}
    assert picked(everything(top_k=1), candidates([1, 2, 3], ids=[7, 8, 9])) == {9}


def test_top_p_keeps_the_fewest_that_reach_p() -> None:
    scored = candidates(np.log([0.5, 0.3, 0.15, 0.05]).tolist())
    assert picked(everything(top_p=0.4), scored) == {0}
    assert picked(everything(top_p=0.7), scored) == {0, 1}
    assert picked(everything(top_p=0.9), scored) == {0, 1, 2}
    assert picked(everything(top_p=1e-12), scored) == {0}


def test_min_p_is_relative_to_the_best() -> None:
    scored = candidates(np.log([0.5, 0.3, 0.15, 0.05]).tolist())
    assert picked(everything(min_p=0.5), scored) == {0, 1}
    assert picked(everything(min_p=0.2), scored) == {0, 1, 2}


def test_top_p_works_on_what_top_k_left() -> None:
    scored = candidates(np.log([0.4, 0.3, 0.2, 0.1]).tolist())
    # Of the two best, 0.4 / 0.7 = 0.57 reaches 0.5 alone; of all four it would not.
    assert picked(everything(top_k=2, top_p=0.5), scored) == {0}
    assert picked(everything(top_p=0.5), scored) == {0, 1}


def test_draws_follow_the_probabilities() -> None:
    scored = candidates(np.log([0.6, 0.3, 0.1]).tolist(), ids=[10, 20, 30])
    sampler = everything(seed=7)
    counts = Counter(sampler.pick(scored) for _ in range(4000))
    assert abs(counts[10] / 4000 - 0.6) < 0.05
    assert abs(counts[20] / 4000 - 0.3) < 0.05
    flat = everything(temperature=50.0, seed=7)
    counts = Counter(flat.pick(scored) for _ in range(4000))
    assert abs(counts[30] / 4000 - 1 / 3) < 0.05


def test_a_seed_repeats_and_the_stream_goes_on() -> None:
    scored = candidates([1.0] * 50)
    first, second = Sampler(seed=3), Sampler(seed=3)
    drawn = [first.pick(scored) for _ in range(20)]
    assert drawn == [second.pick(scored) for _ in range(20)]
    assert drawn != [first.pick(scored) for _ in range(20)]
    again = replace(first)
    assert drawn == [again.pick(scored) for _ in range(20)]
    # The numbers themselves are fixed, so that a seed means the same on every machine.
    assert drawn[:6] == [3, 8, 30, 22, 3, 16]


@pytest.mark.parametrize(
    "scored",
    [
        candidates([1.0, float("nan")]),
        candidates([1.0, INF]),
        candidates([-INF, -INF]),
        candidates([]),
        candidates([1.0, 2.0], ids=[1]),
    ],
)
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_unusable_scores_are_named(scored: Candidates, temperature: float) -> None:
    with pytest.raises(VerifyFailed, match="no usable scores"):
        Sampler(temperature=temperature).pick(scored)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", INF),
        ("temperature", True),
        ("top_k", -1),
        ("top_k", 2.5),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("min_p", 1.0),
        ("min_p", -0.1),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", float("nan")),
        ("repetition_window", -1),
        ("seed", -1),
        ("seed", 1.5),
    ],
)
def test_settings_out_of_range_are_named(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=name):
        Sampler(**{name: value})


@pytest.mark.parametrize("name", ["temperature", "top_p", "min_p", "repetition_penalty"])
def test_settings_of_a_wrong_type_are_named(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        Sampler(**{name: "0.5"})  # type: ignore[arg-type]


@given(
    logits=st.lists(
        st.one_of(st.floats(-(2.0**100), 2.0**100, width=32), st.just(-INF)),
        min_size=1,
        max_size=40,
    ),
    temperature=st.sampled_from([0.0, 1e-300, 1e-6, 0.7, 1.0, 100.0]),
    top_k=st.integers(0, 50),
    top_p=st.sampled_from([1e-9, 0.5, 1.0]),
    min_p=st.sampled_from([0.0, 0.5, 0.999]),
    penalty=st.sampled_from([0.5, 1.0, 2.0]),
)
@settings(max_examples=200, deadline=None)
@pytest.mark.filterwarnings("error")
def test_every_pick_is_a_possible_candidate(
    logits: list[float],
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    penalty: float,
) -> None:
    """No warning, no impossible id, whatever the numbers."""
    ids = [3 * index + 1 for index in range(len(logits))]
    sampler = Sampler(temperature, top_k, top_p, min_p, penalty, seed=0)
    scored = candidates(logits, ids)
    if max(logits) == -INF:
        with pytest.raises(VerifyFailed):
            sampler.pick(scored)
        return
    token = sampler.pick(scored, recent=[1, 4])
    assert logits[ids.index(token)] > -INF
