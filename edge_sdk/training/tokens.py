"""Documents as token streams: ids, loss masks and byte counts, made in several processes.

It knows the chat template's layout in ids; it does not know files of text or tensors of torch.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk.training.corpus import Document
from edge_sdk.training.recipe import Recipe
from edge_sdk.training.vocabulary import BOT, END, EOD, USER, Vocabulary

CHUNK = 1_000_000
"""Characters handed to a process at a time; documents of some sources are far longer."""


@dataclass(frozen=True)
class TokenDocument:
    """One document: ids int16 [n], mask uint8 [n] (1: trained in stage 2), UTF-8 bytes of text.

    `bot_bytes` counts the bytes of bot turns only; it is 0 for plain text.
    """

    source: str
    ids: npt.NDArray[np.int16]
    mask: npt.NDArray[np.uint8]
    text_bytes: int
    bot_bytes: int


@dataclass(frozen=True)
class TokenStream:
    """Documents one after another: ids int16 [n], mask uint8 [n], first positions int64 [k]."""

    ids: npt.NDArray[np.int16]
    mask: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write the arrays for another process, aside first."""
        aside = path.with_name(path.name + ".partial")
        with aside.open("wb") as file:
            np.savez(file, ids=self.ids, mask=self.mask, starts=self.starts)
        aside.replace(path)

    @classmethod
    def load(cls, path: Path) -> TokenStream:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["ids"], arrays["mask"], arrays["starts"])


def tokenise(
    documents: Sequence[Document], tokenizer_path: Path, workers: int
) -> list[TokenDocument]:
    """Tokens of every document, in order; `workers` processes, or none if it is below 2."""
    chunks = list(_chunks(documents))
    if workers < 2 or len(chunks) < 2:
        return [made for chunk in chunks for made in _tokenise_chunk(chunk, tokenizer_path)]
    # Not forked: the parent may hold a CUDA context, which a fork cannot use.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(chunks)), mp_context=context) as pool:
        made_chunks = pool.map(_tokenise_chunk, chunks, [tokenizer_path] * len(chunks))
        return [made for chunk in made_chunks for made in chunk]


def join(documents: Sequence[TokenDocument], seed: int) -> TokenStream:
    """All documents in a shuffled order, every token trained (stage 1)."""
    stream = _chain(documents, np.random.default_rng(seed).permutation(len(documents)))
    return TokenStream(stream.ids, np.ones_like(stream.mask), stream.starts)


def mix(documents: Sequence[TokenDocument], recipe: Recipe) -> TokenStream:
    """Documents copied as the recipe says, shuffled, bot turns and plain text trained (stage 2)."""
    rng = np.random.default_rng(recipe.seed + 1)
    wanted = np.array([recipe.copies(document.source) for document in documents])
    copies = np.floor(wanted + rng.random(len(documents))).astype(np.int64)
    order = rng.permutation(np.repeat(np.arange(len(documents)), copies))
    if not len(order):
        return join(documents, recipe.seed + 1)
    return _chain(documents, order)


def _chain(documents: Sequence[TokenDocument], order: npt.NDArray[np.int64]) -> TokenStream:
    sizes = np.array([len(documents[i].ids) for i in order], np.int64)
    return TokenStream(
        np.concatenate([documents[i].ids for i in order]),
        np.concatenate([documents[i].mask for i in order]),
        np.cumsum(sizes) - sizes,
    )


def _chunks(documents: Sequence[Document]) -> Iterator[list[Document]]:
    chunk: list[Document] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += sum(map(len, document.parts))
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _tokenise_chunk(documents: Sequence[Document], tokenizer_path: Path) -> list[TokenDocument]:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    vocabulary = Vocabulary.load(tokenizer_path)
    encoded = iter(vocabulary.encode_many([part for doc in documents for part in doc.parts]))
    return [_layout(document, encoded) for document in documents]


def _layout(document: Document, encoded: Iterator[list[int]]) -> TokenDocument:
    """<|user|>question<|bot|>answer<|end|>...<|eod|>, or text<|eod|>; takes its parts' ids."""
    ids: list[int] = []
    mask: list[int] = []
    for index, _ in enumerate(document.parts):
        part = next(encoded)
        if not document.chat:
            ids += part
            mask += [1] * len(part)
        elif index % 2:
            ids += [BOT, *part, END]
            mask += [0, *[1] * len(part), 1]
        else:
            ids += [USER, *part]
            mask += [0] * (len(part) + 1)
    sizes = [len(part.encode("utf-8")) for part in document.parts]
    return TokenDocument(
        source=document.source,
        ids=np.array([*ids, EOD], np.int16),
        mask=np.array([*mask, 1], np.uint8),
        text_bytes=sum(sizes),
        bot_bytes=sum(sizes[1::2]) if document.chat else 0,
    )
