"""All text of a training run: a folder's shards and what the generators make, cleaned of prompts.

It knows which parts belong together; each part has a module of its own.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from edge_sdk.evaluation.contamination import Prompts
from edge_sdk.evaluation.prompts import questions
from edge_sdk.training import generators
from edge_sdk.training.corpus import Corpus, Document, load_corpus
from edge_sdk.training.generators.facts_shard import Facts, read_facts
from edge_sdk.training.recipe import Recipe

MANY = 0.1
"""Share of generators.DOCUMENTS from which processes of their own are worth their start."""


def load_text(folder: Path, recipe: Recipe) -> Corpus:
    """Training and held-out documents of a recipe; raises NotFound and Rejected.

    No document holds a prompt of the evaluation or a close variant.
    """
    return load_corpus(
        folder,
        recipe.personas,
        recipe.persona_name,
        generated=_generated(folder, recipe),
        whole=generators.WHOLE,
        bars=barred(),
    )


def _generated(folder: Path, recipe: Recipe) -> Iterator[Document]:
    """What the generators make, each kind in a process of its own where it pays."""
    workers = min(len(generators.DOCUMENTS), (os.cpu_count() or 1) - 1)
    if workers < 2 or recipe.generated < MANY:
        yield from generators.generate(folder, recipe.seed, recipe.generated)
        return
    facts = read_facts(folder)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        made = [
            pool.submit(_kind, source, facts, recipe.seed, recipe.generated)
            for source in generators.DOCUMENTS
        ]
        for kind in made:
            yield from kind.result()


def _kind(source: str, facts: Facts, seed: int, scale: float) -> list[Document]:
    return list(generators.generate_kind(source, facts, seed, scale))


def barred() -> Callable[[Document], bool]:
    """Tells whether a document holds a prompt of the evaluation."""
    prompts = Prompts(questions())

    def holds(document: Document) -> bool:
        return prompts.clashes(document.parts, chat=document.chat) is not None

    return holds
