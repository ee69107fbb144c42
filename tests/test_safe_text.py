"""Text from outside stays inert on a terminal."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from edge_sdk.safe_text import printable


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain text, naïve 日本 ½", "plain text, naïve 日本 ½"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]52;c;aGk=\x07", "]52;c;aGk="),
        ("\x9b2Jcleared", "2Jcleared"),
        ("a\r\nb\rc\bd", "a\nbcd"),
        ("gpj.\u202etxt", "gpj.txt"),
        ("a\u2028b\u2029c", "a\nb\nc"),
        ("tab\there", "tab    here"),
        ("tag\U000e0041", "tag"),
        ("lone \ud800", "lone �"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
    ],
)
def test_characters_that_act_are_gone(raw: str, shown: str) -> None:
    assert printable(raw) == shown


def test_a_name_stays_on_one_line() -> None:
    assert printable("a\nb\tc\u2028d\x1b", newlines=False) == "a b c d"


def test_no_character_at_all_gets_through_that_a_terminal_acts_on() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = set(printable(every)) - set("\n\u200c\u200d")
    assert not {c for c in left if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
