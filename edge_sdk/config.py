"""The shape of a model, read from a checkpoint's config.json and checked once.

It knows the fields of `model_type: "hgrn_bit"` (arXiv 2406.02528, released code) and their limits;
it does not know tensors or files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from edge_sdk.errors import ModelRejected

MODEL_TYPE = "hgrn_bit"
LIMITS = {
    "vocab_size": 1 << 20,
    "hidden_size": 1 << 16,
    "num_layers": 1 << 10,
    "intermediate_size": 1 << 18,
}
"""The largest value accepted for each size: far above every release, far below an overflow."""


@dataclass(frozen=True)
class ModelConfig:
    """The sizes and constants that define a MatMul-free language model."""

    vocab_size: int
    hidden_size: int
    num_layers: int
    intermediate_size: int
    norm_eps: float = 1e-6
    bos_token_id: int | None = 1
    eos_token_id: int | None = 2

    def __post_init__(self) -> None:
        for name, limit in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit:
                raise _bad(f"{name} is {value!r}; expected a whole number from 1 to {limit}")
        if not isinstance(self.norm_eps, float) or not 0.0 < self.norm_eps < 1.0:
            raise _bad(f"norm_eps is {self.norm_eps!r}; expected a number between 0 and 1")
        for name in ("bos_token_id", "eos_token_id"):
            value = getattr(self, name)
            if value is not None and (
                isinstance(value, bool)
                or not isinstance(value, int)
                or not 0 <= value < self.vocab_size
            ):
                raise _bad(f"{name} is {value!r}; expected null or an id below {self.vocab_size}")

    @classmethod
    def from_checkpoint(cls, raw: Mapping[str, Any]) -> ModelConfig:
        """Read the fields of a published config.json; raises ModelRejected.

        Options that change the network and that no release uses are refused, not ignored.
        """
        if raw.get("model_type") != MODEL_TYPE:
            raise _bad(f"model_type is {raw.get('model_type')!r}; expected {MODEL_TYPE!r}")
        only = {
            "expand_ratio": 1,
            "use_short_conv": False,
            "use_lower_bound": True,
            "attn_mode": "fused_recurrent",
            "tie_word_embeddings": False,
        }
        for name, value in only.items():
            if raw.get(name, value) != value:
                raise _bad(f"{name} is {raw[name]!r}; only {value!r} is supported")
        hidden = raw.get("hidden_size", 2048)
        eps = raw.get("rms_norm_eps", 1e-6)
        return cls(
            vocab_size=raw.get("vocab_size", 32000),
            hidden_size=hidden,
            num_layers=raw.get("num_hidden_layers", 24),
            intermediate_size=_intermediate(raw, hidden),
            norm_eps=float(eps) if isinstance(eps, int | float) else eps,
            bos_token_id=raw.get("bos_token_id", 1),
            eos_token_id=raw.get("eos_token_id", 2),
        )

    @classmethod
    def from_header(cls, raw: object) -> ModelConfig:
        """Read what `to_header` wrote; raises ModelRejected on a missing or unknown field."""
        known = {field.name for field in fields(cls)}
        if not isinstance(raw, dict) or set(raw) != known:
            raise _bad(f"the config must have exactly the fields {', '.join(sorted(known))}")
        return cls(**raw)

    def to_header(self) -> dict[str, Any]:
        """The fields as plain values, for the packed file's header."""
        return asdict(self)

    @property
    def parameters(self) -> int:
        """Number of weights: embedding, ternary matrices, norms and bounds."""
        d, i, v, layers = (
            self.hidden_size,
            self.intermediate_size,
            self.vocab_size,
            self.num_layers,
        )
        ternary = layers * (4 * d * d + 3 * d * i) + v * d
        norms = layers * (8 * d + i) + 2 * d
        return ternary + norms + v * d + layers * d


def _intermediate(raw: Mapping[str, Any], hidden: object) -> Any:
    """config.intermediate_size, or its default 256 * ceil(floor(d * ratio * 2/3) / 256)."""
    given = raw.get("intermediate_size")
    ratio = raw.get("hidden_ratio", 4)
    if given is not None:
        return given
    if not isinstance(hidden, int) or not isinstance(ratio, int) or not 1 <= ratio <= 64:
        raise _bad(f"hidden_ratio is {ratio!r}; expected a whole number from 1 to 64")
    return 256 * -(-int(hidden * ratio * 2 / 3) // 256)


def _bad(detail: str) -> ModelRejected:
    return ModelRejected(
        f"the model's config was refused: {detail}.",
        hint="use a MatMul-free LM checkpoint (model_type 'hgrn_bit') in the published layout.",
    )
