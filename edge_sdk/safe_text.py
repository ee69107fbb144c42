"""Makes text from a model, a file or a device harmless to a terminal.

It knows which characters a terminal acts on; it does not know where the text comes from.
Works character by character, so a sequence that is cut into pieces is as harmless as a whole one.
"""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"
"""Zero-width (non-)joiners: several scripts and joined emoji need them, and they move nothing."""


class _Printable(dict[int, str]):
    """A table for str.translate that is filled as characters come up."""

    def __missing__(self, code: int) -> str:
        self[code] = shown = _shown(chr(code))
        return shown


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if character == "\n" or category in ("Zl", "Zp"):
        return "\n"
    if character == "\t":
        return "    "
    if category == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    # Cc: escape, bell, backspace, C1. Cf: marks that turn the direction of text, invisible tags.
    if category in ("Cc", "Cf") and character not in _JOINERS:
        return ""
    return character


_TABLE = _Printable()


def printable(text: str, *, newlines: bool = True) -> str:
    """`text` without control, escape and direction-changing characters.

    Tabs become four spaces and lone surrogates U+FFFD. With `newlines=False` line ends and tabs
    become one space each, for names that are shown within a line.
    """
    if not newlines:
        text = text.replace("\t", " ")
    clean = text.translate(_TABLE)
    return clean if newlines else clean.replace("\n", " ")
