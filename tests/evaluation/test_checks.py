"""The checks of an answer, each with an answer that passes and one that does not."""

from __future__ import annotations

import pytest

from edge_sdk.evaluation.checks import Check, holds, invented, repeats


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (Check(wants=r"\blima\b"), "It is Lima.", "It is Paris."),
        (Check(wants="model", bars="^yes"), "No, a model.", "Yes, a model."),
        (Check(figures=("8.4",)), "I use 8.4 watts.", "I use 18.4 watts."),
        (Check(figures=("8.4",)), "8.4 W", "8.41 W"),
        (Check(verdict="yes"), "Yes, it is.", "No, it is not."),
        (Check(verdict="no"), "No.", "Nobody knows."),
        (Check(refuses=True), "I can't see that.", "It is 12."),
        (Check(refuses=True, known=("40",)), "I don't know; it is 40.", "I don't know, 41."),
        (Check(words=(3, 5)), "one two three", "one two three four five six"),
        (Check(dialogue=True), "One. Two. Three.", "Only one."),
    ],
)
def test_check(check: Check, good: str, bad: str) -> None:
    assert check.fault(good, stopped=True) == ""
    assert check.fault(bad, stopped=True)
    assert check.fault(good, stopped=False) == "it did not end by itself"


def test_a_loop_is_no_answer() -> None:
    assert Check().fault("and so on and so on " * 4, stopped=True) == "it repeats itself"
    assert not repeats(["one", "two", "three", "four", "one", "two", "three", "four"])


def test_invented_figures_are_those_that_nobody_gave() -> None:
    assert invented("8.4 W, 8 and 9", "[power 8.4 W]", "is it 8.0?") == ["9"]
    assert holds("It is 5 W.", ("5",)) and not holds("It is 5.2 W.", ("5",))
