"""The numbers of a training run: a model's shape, its schedule and its mix of sources.

It knows constants and the formulas between them; it does not know tensors, files or clocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_sdk.errors import UsageError

HIDDEN_RATIO = 4


@dataclass(frozen=True)
class Shape:
    """Sizes of a MatMul-free LM (arXiv 2406.02528, released code): hidden, layers, vocabulary."""

    hidden: int
    layers: int
    vocabulary: int

    @property
    def intermediate(self) -> int:
        """Width of the GLU: 256 * ceil(floor(hidden * 4 * 2/3) / 256)."""
        return 256 * -(-(self.hidden * HIDDEN_RATIO * 2 // 3) // 256)

    @property
    def parameters(self) -> int:
        """Number of weights: ternary matrices, embedding, norms and lower bounds."""
        d, wide = self.hidden, self.intermediate
        block = 4 * d * d + 3 * d * wide + 8 * d + wide + d
        return self.layers * block + 2 * self.vocabulary * d + 2 * d


# Copies of each document in stage 2. What the model is for comes from the generators, each of them
# once. People's dialogues are there for the language of stage 1: in stage 2 a model of this size
# learns from them to say anything at all where it did not understand. Prose keeps general English.
CHAT_MIX: Mapping[str, float] = {
    "status": 1.0,
    "recall": 1.0,
    "echo": 1.0,
    "countries": 1.0,
    "common": 1.0,
    "words": 1.0,
    "sums": 1.0,
    "comparisons": 1.0,
    "unknown": 1.0,
    "persona": 1.0,
    "smalltalk": 1.0,
    "written": 2.0,
    "storychat": 0.7,
    "mixed": 1.0,
    "tales": 0.3,
    "bfchitchat": 1.0,
    "stories": 1.5,
    "chatterbot": 0.3,
    "factbook": 0.5,
    "fairyqa": 0.1,
    "fairy": 0.6,
    "selfdialogue": 0.05,
    "topical": 0.05,
    "wordnet": 0.15,
    "gsm8k": 0.0,
    "chitchat": 0.03,
    "taskmaster": 0.03,
    "books": 0.12,
}


@dataclass(frozen=True)
class Recipe:
    """One named way to train: shape, optimiser, schedule, stages and data mix."""

    name: str
    shape: Shape
    context: int = 512
    batch_tokens: int = 65_536
    peak_rate: float = 4e-3
    warmup_steps: int = 150
    halfway_factor: float = 0.8
    betas: tuple[float, float] = (0.9, 0.95)
    epsilon: float = 1e-8
    weight_decay: float = 0.1
    clip: float = 1.0
    stage2_share: float = 0.5
    stage2_copies: Mapping[str, float] = field(default_factory=lambda: dict(CHAT_MIX))
    stage2_default: float = 0.1
    validations: int = 12
    seed: int = 0
    persona_name: str = "Tern"
    personas: tuple[str, ...] = ("friendly",)
    generated: float = 1.0
    """Share of generators.DOCUMENTS that is made."""
    fused: bool = False
    """Whether the fused BitLinear and cross-entropy are used; they save memory first of all."""

    @property
    def rows(self) -> int:
        """Windows in one batch."""
        return max(1, self.batch_tokens // self.context)

    def rows_of(self, workers: int) -> int:
        """Windows of one process where `workers` share a batch."""
        return max(1, -(-self.rows // workers))

    def in_stage2(self, progress: float) -> bool:
        """Whether the part `progress` (0 to 1) of the training time lies in the second stage."""
        return progress >= 1.0 - self.stage2_share

    def rate(self, progress: float, step: int) -> float:
        """Learning rate: warm-up by steps, linear to zero by the clock, one drop at half-way."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        drop = 1.0 if progress < 0.5 else self.halfway_factor
        return self.peak_rate * warm * max(0.0, 1.0 - progress) * drop

    def decay(self, progress: float) -> float:
        """Weight decay of the matrices: BitNet b1.58's two stages, none after half-way."""
        return self.weight_decay if progress < 0.5 else 0.0

    def copies(self, source: str) -> float:
        """Mean number of copies of a document of `source` in stage 2."""
        return self.stage2_copies.get(source, self.stage2_default)


RECIPES: Mapping[str, Recipe] = {
    "tern": Recipe(name="tern", shape=Shape(hidden=512, layers=8, vocabulary=4096)),
    "tern-nano": Recipe(
        name="tern-nano",
        shape=Shape(hidden=64, layers=2, vocabulary=512),
        context=64,
        batch_tokens=512,
        warmup_steps=10,
        validations=2,
        generated=0.002,
    ),
}


def get_recipe(name: str) -> Recipe:
    """The recipe called `name`; raises UsageError."""
    try:
        return RECIPES[name]
    except KeyError:
        raise UsageError(
            f"there is no training recipe {name!r}.",
            hint=f"choose one of: {', '.join(RECIPES)}.",
        ) from None
