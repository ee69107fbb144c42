"""Shapes, schedules and named recipes."""

from __future__ import annotations

import pytest

from edge_sdk.errors import UsageError
from edge_sdk.training.recipe import RECIPES, Shape, get_recipe


@pytest.mark.parametrize(
    ("hidden", "expected"), [(128, 512), (512, 1536), (1024, 2816), (2048, 5632), (2560, 6912)]
)
def test_intermediate_size_follows_the_released_rule(hidden: int, expected: int) -> None:
    assert Shape(hidden, 1, 100).intermediate == expected


def test_parameter_count_matches_the_published_370m_model() -> None:
    assert Shape(1024, 24, 32000).parameters == 374_108_160


def test_tern_has_between_8_and_32_million_parameters() -> None:
    assert 8e6 < RECIPES["tern"].shape.parameters < 32e6


def test_rate_warms_up_and_falls_to_zero_with_a_drop_at_half_way() -> None:
    recipe = get_recipe("tern")
    assert recipe.rate(0.0, 0) == pytest.approx(recipe.peak_rate / recipe.warmup_steps)
    assert recipe.rate(0.25, 1000) == pytest.approx(0.75 * recipe.peak_rate)
    assert recipe.rate(0.5, 1000) == pytest.approx(0.4 * recipe.peak_rate)
    assert recipe.rate(1.0, 1000) == 0.0
    assert (recipe.decay(0.49), recipe.decay(0.5)) == (recipe.weight_decay, 0.0)
    assert [recipe.in_stage2(part) for part in (0.49, 0.51)] == [False, True]


def test_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        get_recipe("albatross")
    assert caught.value.hint is not None and "tern-nano" in caught.value.hint
