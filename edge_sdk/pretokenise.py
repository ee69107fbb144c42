"""How a text is cut into the words that BPE merges within.

It knows the two published kinds (byte-level with optional digit splitting, and Llama's U+2581 for
a space); it does not know vocabularies or ids.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Protocol

SPACE_MARK = "\u2581"
"""Stands for a space in pieces of the Llama kind."""

# The pattern of the `tokenizers` package over the ASCII classes that `_Classes` maps to:
# 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
_WORD = re.compile(
    r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\t-\r A-Za-z0-9]+"
    r"|[\t-\r ]+(?![^\t-\r ])|[\t-\r ]+"
)
_ONE_DIGIT = re.compile(r"[0-9]|[^0-9]+")
_DIGIT_RUN = re.compile(r"[0-9]+|[^0-9]+")
# A run of marks with the word behind it, or the text before the first mark.
_MARKED_WORD = re.compile(f"{SPACE_MARK}+[^{SPACE_MARK}]*|[^{SPACE_MARK}]+")


class Splitter(Protocol):
    """Cuts a text into words and spells a word in the alphabet of the vocabulary."""

    def words(self, text: str, start: bool) -> list[str]:
        """The words of `text`; joined they are the text, normalised.

        `start` is False where the text continues an earlier one, so that no space is put before.
        """

    def spell(self, word: str) -> str:
        """One character for each smallest piece of the vocabulary."""


class _Classes(dict[int, int]):
    """Maps a code point to an ASCII character of the same class: letter, number, space, other.

    ASCII stays as it is: the pattern names its space and apostrophe. `re` has no \\p{L}, and a
    table of all code points would cost a tenth of a second at start.
    """

    _KEPT = 1 << 16

    def __missing__(self, code: int) -> int:
        char = chr(code)
        kind = unicodedata.category(char)[0]
        if code < 0x80:
            mapped = code
        elif char.isspace():
            # Beyond ASCII that is the property White_Space; below, it adds U+001C..U+001F.
            mapped = ord("\t")
        else:
            # "a" ends no contraction ('s, 't, ...), so a letter cannot complete one.
            mapped = ord({"L": "a", "N": "0"}.get(kind, "!"))
        if len(self) < self._KEPT:
            self[code] = mapped
        return mapped


_CLASSES = _Classes()


class ByteLevel:
    """The pre-tokenizer `ByteLevel`, or `Sequence[Digits, ByteLevel]`, of a tokenizer.json."""

    def __init__(self, digits: str | None, add_prefix_space: bool, use_regex: bool) -> None:
        """`digits` is None, "individual" (each alone) or "runs" (apart from what is around)."""
        self._pieces = {None: None, "individual": _ONE_DIGIT, "runs": _DIGIT_RUN}[digits]
        self._add_prefix_space = add_prefix_space
        self._pattern = _WORD if use_regex else None

    def words(self, text: str, start: bool) -> list[str]:
        """The words of `text`, digits split off first, then the ByteLevel pattern on each part."""
        if not text:
            return []
        shadow = text if text.isascii() else text.translate(_CLASSES)
        if self._pieces is None:
            return self._cut(text, shadow, start)
        found: list[str] = []
        for part in self._pieces.finditer(shadow):
            first, last = part.span()
            found += self._cut(text[first:last], shadow[first:last], start or first > 0)
        return found

    def _cut(self, text: str, shadow: str, start: bool) -> list[str]:
        if self._add_prefix_space and start and not text.startswith(" "):
            text, shadow = " " + text, " " + shadow
        if self._pattern is None:
            return [text]
        if text is shadow or text == shadow:
            return self._pattern.findall(text)
        return [text[match.start() : match.end()] for match in self._pattern.finditer(shadow)]

    def spell(self, word: str) -> str:
        """The UTF-8 bytes of `word`, each as its character of the byte alphabet."""
        return word.encode().decode("latin-1").translate(BYTE_TO_CHAR)


class Metaspace:
    """The normaliser `Sequence[Prepend, Replace]` of the Llama kind, without a pre-tokenizer."""

    def __init__(self, prepend: bool, cut: bool, once: bool = False) -> None:
        """prepend: put a mark in front; once: not where there is one.

        cut: no piece has a mark behind another character, so that no merge crosses a cut.
        """
        self._once = once
        self._prefix = SPACE_MARK if prepend else ""
        self._cut = cut

    def words(self, text: str, start: bool) -> list[str]:
        """The normalised text: in words where that changes nothing, else as one."""
        if not text:
            return []
        marked = text.replace(" ", SPACE_MARK)
        if start and not (self._once and marked.startswith(SPACE_MARK)):
            marked = self._prefix + marked
        return _MARKED_WORD.findall(marked) if self._cut else [marked]

    def spell(self, word: str) -> str:
        """The word itself: its smallest pieces are characters."""
        return word


def _byte_alphabet() -> dict[int, int]:
    """Byte -> printable code point, as GPT-2 and the `tokenizers` package write byte pieces."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    return {byte: byte for byte in plain} | {byte: 256 + i for i, byte in enumerate(others)}


BYTE_TO_CHAR = _byte_alphabet()
"""Byte value -> code point of the byte alphabet."""
CHAR_TO_BYTE = {code: byte for byte, code in BYTE_TO_CHAR.items()}
"""Code point of the byte alphabet -> byte value."""
