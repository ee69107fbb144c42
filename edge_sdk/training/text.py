"""All text of a training run: a folder's shards and what the generators make, cleaned of prompts.

It knows which parts belong together; each part has a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_sdk.evaluation.contamination import Prompts
from edge_sdk.evaluation.prompts import questions
from edge_sdk.training import generators
from edge_sdk.training.corpus import Corpus, Document, load_corpus
from edge_sdk.training.recipe import Recipe


def load_text(folder: Path, recipe: Recipe) -> Corpus:
    """Training and held-out documents of a recipe; raises NotFound and Rejected.

    No document holds a prompt of the evaluation or a close variant.
    """
    return load_corpus(
        folder,
        recipe.personas,
        recipe.persona_name,
        generated=generators.generate(folder, recipe.seed, recipe.generated),
        whole=generators.WHOLE,
        bars=barred(),
    )


def barred() -> Callable[[Document], bool]:
    """Tells whether a document holds a prompt of the evaluation."""
    prompts = Prompts(questions())

    def holds(document: Document) -> bool:
        return prompts.clashes(document.parts, chat=document.chat) is not None

    return holds
