"""Byte-pair encoding of one word: pieces, merges in rank order, and what to do without a piece.

It knows strings and ids; it does not know files, normalisers or how a text is cut into words.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

ID_BITS = 20
"""Ids are below 2 ** ID_BITS, so that a pair of them is one small integer."""
_CACHED_WORDS = 1 << 14
_CACHED_LENGTH = 64


@dataclass(frozen=True)
class Merges:
    """Which two neighbouring pieces become one, and in which order."""

    ranks: dict[int, int]
    """left << ID_BITS | right -> rank; the lowest rank merges first."""
    made: list[int]
    """rank -> id of the merged piece."""


class Bpe:
    """The model part of a tokenizer.json of type BPE."""

    def __init__(
        self,
        pieces: Mapping[str, int],
        merges: Merges,
        spell: Callable[[str], str],
        *,
        unknown: int | None = None,
        fuse_unknown: bool = False,
        byte_fallback: bool = False,
        ignore_merges: bool = False,
    ) -> None:
        """`pieces`: those that user text may become, so no control tokens.

        spell: writes a word in the alphabet of the pieces, one character for each smallest piece.
        unknown: the id for a character that has no piece; None drops such a character.
        fuse_unknown: a run of them becomes one id. byte_fallback: they become the pieces <0x00> to
        <0xFF> of their UTF-8 bytes first. ignore_merges: a word that is a piece is not built up.
        """
        self._pieces = pieces
        self._spell = spell
        self._ranks = merges.ranks
        self._made = merges.made
        self._unknown = unknown
        self._fuse_unknown = fuse_unknown
        self._ignore_merges = ignore_merges
        self._bytes = [
            pieces.get(f"<0x{byte:02X}>") if byte_fallback else None for byte in range(256)
        ]
        self._cached = lru_cache(_CACHED_WORDS)(self._encode)

    def encode(self, word: str) -> list[int]:
        """The ids of one word; do not change the list.

        O(n log n) for n characters: a megabyte without a space takes seconds, not hours.
        """
        return self._cached(word) if len(word) <= _CACHED_LENGTH else self._encode(word)

    def _encode(self, word: str) -> list[int]:
        word = self._spell(word)
        if self._ignore_merges and word in self._pieces:
            return [self._pieces[word]]
        try:
            return self._merge([self._pieces[char] for char in word])
        except KeyError:
            return self._merge(self._with_unknown(word))

    def _with_unknown(self, word: str) -> list[int]:
        """The smallest pieces of a word of which some have none.

        In the order of the `tokenizers` package, where an unknown character waits for the next
        known one, past bytes that fall back.
        """
        ids: list[int] = []
        waiting: int | None = None
        for char in word:
            piece = self._pieces.get(char)
            if piece is not None:
                if waiting is not None:
                    ids.append(waiting)
                    waiting = None
                ids.append(piece)
                continue
            spelt = [self._bytes[byte] for byte in char.encode()]
            known = [byte for byte in spelt if byte is not None]
            if len(known) == len(spelt):
                ids += known
            elif self._unknown is not None:
                if waiting is not None and not self._fuse_unknown:
                    ids.append(waiting)
                waiting = self._unknown
        if waiting is not None:
            ids.append(waiting)
        return ids

    def _merge(self, ids: list[int]) -> list[int]:
        """Merge the neighbours of lowest rank, leftmost first, until no rule is left.

        A heap of rank * n + position over a linked list; an entry whose pair is gone is skipped.
        """
        rank_of, made, size = self._ranks.get, self._made, len(ids)
        heap = []
        for place in range(size - 1):
            first = rank_of(ids[place] << ID_BITS | ids[place + 1])
            if first is not None:
                heap.append(first * size + place)
        if not heap:
            return ids
        heapq.heapify(heap)
        after = list(range(1, size + 1))
        before = list(range(-1, size - 1))
        while heap:
            rank, place = divmod(heapq.heappop(heap), size)
            right = after[place]
            # A piece that was merged into its left neighbour is -1, which is in no pair.
            if right == size or rank_of(ids[place] << ID_BITS | ids[right]) != rank:
                continue
            ids[place], ids[right] = made[rank], -1
            beyond = after[place] = after[right]
            if beyond < size:
                before[beyond] = place
                new = rank_of(ids[place] << ID_BITS | ids[beyond])
                if new is not None:
                    heapq.heappush(heap, new * size + place)
            left = before[place]
            if left >= 0:
                new = rank_of(ids[left] << ID_BITS | ids[place])
                if new is not None:
                    heapq.heappush(heap, new * size + left)
        return [piece for piece in ids if piece >= 0]
