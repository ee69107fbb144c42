"""The prompt set: its size, its checks, and that training text can not hold it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sdk.evaluation.checks import numbers
from edge_sdk.evaluation.contamination import NEAR, Prompts, check, plain_words
from edge_sdk.evaluation.prompts import CATEGORIES, all_prompts, questions
from edge_sdk.training import text
from edge_sdk.training.corpus import Document
from edge_sdk.training.generators import generate
from edge_sdk.training.recipe import get_recipe
from edge_sdk.training.text import barred


def test_there_are_enough_prompts_in_twelve_categories() -> None:
    counts = Counter(prompt.category for prompt in all_prompts())
    assert set(counts) == set(CATEGORIES) and len(CATEGORIES) == 12
    assert sum(counts.values()) >= 120 and min(counts.values()) >= 10
    assert counts["telemetry"] == 20


def test_readings_vary_with_the_seed_and_hold_what_is_asked_for() -> None:
    assert all_prompts() == all_prompts()
    assert all_prompts(1) != all_prompts(2)
    for seed in range(20):
        for prompt in all_prompts(seed):
            line = prompt.readings.line()
            assert set(prompt.check.figures) <= set(numbers(line))
            if prompt.category == "comparison":
                limit = float(numbers(prompt.turns[0])[0])
                assert prompt.check.verdict in ("yes", "no") and limit > 0


def test_what_the_generators_make_is_trained_without_any_prompt(tmp_path: Path) -> None:
    made = list(generate(tmp_path, seed=0, scale=0.02))
    holds = barred()
    kept = [one for one in made if not holds(one)]
    assert len(made) - len(kept) < len(made) / 500
    seen = check(Prompts(questions()), ((one.parts, one.chat) for one in kept))
    assert seen.texts > 5000 and not seen.found
    assert 0 < seen.nearest < NEAR


def test_variants_are_found_and_others_are_not() -> None:
    prompts = Prompts(["What city is the capital of Peru, do you happen to know it?", "Hi you"])
    variants = (
        "what city is the capital of Peru, do you happen to know",
        "[power 3 W]\nHey, what city is the capital of Peru, do you happen to know it",
    )
    for variant in variants:
        found = prompts.clashes((variant, "Lima."), chat=True)
        assert found is not None and found.likeness >= NEAR
    for other in ("What is the capital of Peru?", "Who are you?", ""):
        assert prompts.clashes((other, "Lima."), chat=True) is None


def test_a_long_prompt_is_found_inside_a_text() -> None:
    prompts = Prompts(["Tell my kids a story of two brothers"])
    told = "He said: please, tell my kids a story of two brothers! And so on. " + "word " * 50
    assert prompts.clashes((told,), chat=False) is not None
    assert prompts.clashes(("Tell my kids a story of two sisters. " * 9,), chat=False) is None
    assert plain_words("[speed 3 tok/s]\nWhat's THAT, please?") == ("what", "is", "that")


def test_training_text_bars_the_prompts() -> None:
    holds = barred()
    assert holds(Document("x", (questions()[0], "Hello."), chat=True))
    assert not holds(Document("x", ("Something else entirely", "Hello."), chat=True))


def test_kinds_made_in_processes_of_their_own_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(get_recipe("tern"), generated=0.001)
    alone = list(text._generated(tmp_path, recipe))
    monkeypatch.setattr(text, "MANY", 0.0)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert list(text._generated(tmp_path, recipe)) == alone
