"""Training text: reads `*.jsonl.xz` shards, filters them and sets validation documents apart.

It knows shards, licences by shard name, and documents; it does not know tokens or tensors.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from edge_sdk.errors import NotFound, Rejected

SKIPPED = {
    "sharealike": "its share-alike licence would bind the weights",
    "facts": "it is raw material for generators, not training text",
    "synth": "the generators of this package replace it",
}
HELD_OUT = 60
"""Validation documents of each source."""

_OTHER_ASSISTANTS = re.compile(r"\b(cortana|alexa|google assistant|siri)\b", re.IGNORECASE)
_SPEAKS_AS_ASSISTANT = frozenset({"bfchitchat", "chatterbot"})
_NAMELESS = re.compile(r"don't have a name|forgot to name me|what's in a name\?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """One text (`chat` false, one part) or one chat (parts: user, bot, user, bot, ...)."""

    source: str
    parts: tuple[str, ...]
    chat: bool
    persona: str = ""


@dataclass(frozen=True)
class Shard:
    """A file that was read: its name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Corpus:
    """Documents apart for training and validation, the shards read, and notes for the user."""

    train: tuple[Document, ...]
    validation: tuple[Document, ...]
    shards: tuple[Shard, ...]
    notes: tuple[str, ...]


def load_corpus(
    folder: Path,
    personas: Sequence[str] = (),
    name: str = "",
    *,
    generated: Iterable[Document] = (),
    whole: Collection[str] = (),
    bars: Callable[[Document], bool] | None = None,
) -> Corpus:
    """Read, filter and split every usable shard in `folder`; the same folder splits the same way.

    `personas`: which of several parallel voices to keep (none: all). `name`: what the assistant
    answers where a source says that it has no name (empty: leave as it is). `generated`: documents
    besides those of the shards; `whole`: sources of which none is held out. `bars`: tells which
    documents must not be trained on, because the evaluation asks for them.
    Raises NotFound if there is nothing to read and Rejected for a malformed shard.
    """
    usable, notes = find_shards(folder)
    with ThreadPoolExecutor(max_workers=4) as pool:
        read = list(pool.map(read_shard, usable))
    documents = [document for found, _ in read for document in found]
    kept = list(_filtered(documents, frozenset(personas), name))
    if len(kept) < len(documents):
        notes.append(f"Filters dropped {len(documents) - len(kept)} of {len(documents)} documents.")
    kept += generated
    if bars is not None:
        free = [document for document in kept if not bars(document)]
        if len(free) < len(kept):
            notes.append(f"{len(kept) - len(free)} documents hold a prompt of the evaluation: out.")
        kept = free
    train, validation = split(kept, whole)
    if not train:
        raise NotFound(
            f"no document in {folder} is left for training: the first {HELD_OUT} of each source "
            "are kept for validation.",
            hint="add more text to the folder.",
        )
    return Corpus(tuple(train), tuple(validation), tuple(shard for _, shard in read), tuple(notes))


def find_shards(folder: Path) -> tuple[list[Path], list[str]]:
    """Shards to read, by name, and one sentence for each that is left out; raises NotFound."""
    paths = sorted(folder.glob("*.jsonl.xz")) if folder.is_dir() else []
    usable = [path for path in paths if _stem(path) not in SKIPPED]
    if not usable:
        raise NotFound(
            f"{folder} holds no training shard; expected a folder with *.jsonl.xz files.",
            hint="pass the folder with the corpus as --data.",
        )
    left_out = [path for path in paths if _stem(path) in SKIPPED]
    return usable, [f"Left out {path.name}: {SKIPPED[_stem(path)]}." for path in left_out]


def read_shard(path: Path) -> tuple[list[Document], Shard]:
    """Decode one shard of JSON lines; raises Rejected with the line that is wrong."""
    packed = path.read_bytes()
    try:
        text = lzma.decompress(packed).decode("utf-8")
    except (lzma.LZMAError, EOFError, UnicodeDecodeError) as error:
        raise Rejected(
            f"the shard {path.name} is not xz-packed UTF-8 text ({error}).",
            hint="copy the file again; it may have been cut short.",
        ) from error
    documents = [
        _document(line, f"{path.name} line {number}")
        for number, line in enumerate(text.split("\n"), start=1)
        if line
    ]
    return documents, Shard(path.name, len(packed), hashlib.sha256(packed).hexdigest())


def split(
    documents: Iterable[Document], whole: Collection[str] = ()
) -> tuple[list[Document], list[Document]]:
    """Training and validation documents: those of each source with the lowest hashes held out.

    Of the sources in `whole` none is held out.

    A hash of the content decides, so the order of the files does not. Parallel answers to one
    question, and copies of a held-out document, stay on one side.
    """
    keyed = [(_key(document), document) for document in documents]
    groups = Counter((document.source, key) for key, document in keyed)
    held: set[tuple[str, str]] = set()
    taken: Counter[str] = Counter()
    for source, key in sorted(groups):
        if source not in whole and taken[source] < HELD_OUT:
            held.add((source, key))
            taken[source] += groups[source, key]
    train = [document for key, document in keyed if (document.source, key) not in held]
    validation = [document for key, document in keyed if (document.source, key) in held]
    return train, validation


def _key(document: Document) -> str:
    told = document.parts[:1] if document.persona else document.parts
    plain = "\x00".join(told).casefold().strip(" ?!.")
    return hashlib.sha256(plain.encode("utf-8")).hexdigest()


def _stem(path: Path) -> str:
    return path.name.removesuffix(".jsonl.xz")


def _document(line: str, where: str) -> Document:
    try:
        raw = json.loads(line)
        source, persona = raw["src"], raw.get("persona", "")
        chat = "turns" in raw
        parts = tuple(raw["turns"]) if chat else (raw["text"],)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _malformed(where) from error
    if not all(isinstance(value, str) for value in (source, persona, *parts)):
        raise _malformed(where)
    if chat and (not parts or len(parts) % 2):
        raise _malformed(where)
    return Document(source, parts, chat, persona)


def _malformed(where: str) -> Rejected:
    return Rejected(
        f'{where} is not a document; expected {{"src": ..., "text": ...}} or {{"src": ..., '
        '"turns": [user, bot, ...]} with an even number of turns.',
        hint="repair or remove that line.",
    )


def _filtered(
    documents: Iterable[Document], personas: frozenset[str], name: str
) -> Iterator[Document]:
    for document in documents:
        if document.persona and personas and document.persona not in personas:
            continue
        if document.source in _SPEAKS_AS_ASSISTANT:
            if any(_OTHER_ASSISTANTS.search(part) for part in document.parts):
                continue
            if name and document.chat:
                document = _with_name(document, name)
        yield document


def _with_name(document: Document, name: str) -> Document:
    """The chat with every answer that denies having a name replaced by one that gives it."""
    answer = f"My name is {name}. I am a small language model that runs on this device."
    parts = tuple(
        answer if index % 2 and _NAMELESS.search(part) else part
        for index, part in enumerate(document.parts)
    )
    return document if parts == document.parts else replace(document, parts=parts)
