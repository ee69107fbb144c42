"""Where a model's tensors lie in a GPU's memory.

It knows the same as cuda/base.cu, in Python; it does not know drivers or how anything is computed.
The matrices keep the packed file's bytes; vectors are padded with zeros to whole blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sdk.config import ModelConfig
from edge_sdk.devices.tinygrad.fast_model import Weights
from edge_sdk.ternary import BLOCK, COLUMNS2, ROWS, pack2, unpack2

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

SLOTS = 4096
"""Words for the blocks' own sums in the exchange (cuda/decode.cu)."""


@dataclass(frozen=True)
class Layout:
    """Sizes for one model: bytes of packed weights, numbers of floats."""

    config: ModelConfig

    @property
    def row_d(self) -> int:
        """A padded row of d values."""
        return self._blocks(self.config.hidden_size) * COLUMNS2

    @property
    def row_i(self) -> int:
        """A padded row of I values."""
        return self._blocks(self.config.intermediate_size) * COLUMNS2

    @property
    def groups(self) -> tuple[int, int, int]:
        """Groups of four rows of a matrix with d, I and V rows."""
        config = self.config
        rows = (config.hidden_size, config.intermediate_size, config.vocab_size)
        return tuple(-(-size // ROWS) for size in rows)  # type: ignore[return-value]

    @property
    def planes(self) -> int:
        """Bytes of all packed matrices."""
        wide, inner, vocab = self.groups
        d, i = self._blocks(self.config.hidden_size), self._blocks(self.config.intermediate_size)
        layer = 4 * wide * d + 2 * inner * d + wide * i
        return (self.config.num_layers * layer + vocab * d) * ROWS * BLOCK

    @property
    def layer_vectors(self) -> int:
        """Floats a layer: nine of d, one of I, the six steps."""
        return 9 * self.row_d + self.row_i + 64

    @property
    def vectors(self) -> int:
        """Floats of all layers and the head."""
        return self.config.num_layers * self.layer_vectors + 2 * self.row_d + 64

    @property
    def exchange(self) -> int:
        """Bytes of the exchange between decode blocks."""
        return 8 * (self.row_d + self.row_i // 2 + SLOTS + 2 * SLOTS + 8)

    @property
    def state(self) -> int:
        """Bytes of one session's state."""
        return 4 * self.config.num_layers * self.row_d

    def scratch(self, tokens: int) -> dict[str, int]:
        """Bytes of each working array of Args for `tokens` rows."""
        wide = max(3 * self.row_d, self.row_i)
        return {
            "x": 4 * tokens * self.row_d,
            "y": 4 * tokens * wide,
            "q": tokens * wide,
            "worth": 4 * 3 * tokens,
            # edge_sums writes two rows of sums here
            "sum": 4 * max(3 * tokens, 2 * self.row_d),
        }

    def _blocks(self, width: int) -> int:
        return -(-width // COLUMNS2)


def matrices(model: Weights) -> Iterator[Bytes]:
    """The packed matrices in the order in which they lie on the card."""
    config = model.config
    for layer in range(config.num_layers):
        at = f"layers.{layer}"
        for name in "ifgo":
            yield model.matrix(f"{at}.attn.{name}_proj").planes
        gate = model.matrix(f"{at}.mlp.gate_proj")
        if config.intermediate_size % ROWS == 0:
            yield gate.planes
        else:
            # The halves start with a whole group each.
            trits = unpack2(gate.planes, gate.shape)
            yield pack2(trits[: config.intermediate_size])
            yield pack2(trits[config.intermediate_size :])
        yield model.matrix(f"{at}.mlp.down_proj").planes
    yield model.matrix("lm_head").planes


def vectors(model: Weights, layout: Layout) -> Floats:
    """All norms, bounds and steps, float32 [layout.vectors]."""
    config = model.config
    all_vectors = np.zeros(layout.vectors, np.float32)
    bounds = model.vector("bounds")
    d, start = layout.row_d, 0
    for layer in range(config.num_layers):
        at = f"layers.{layer}"
        parts = [model.vector(f"{at}.attn_norm")]
        parts += [model.vector(f"{at}.attn.{name}_proj.norm") for name in "ifg"]
        parts += [bounds[layer], model.vector(f"{at}.attn.g_norm")]
        parts += [model.vector(f"{at}.attn.o_proj.norm"), model.vector(f"{at}.mlp_norm")]
        parts += [model.vector(f"{at}.mlp.gate_proj.norm")]
        for number, part in enumerate(parts):
            all_vectors[start + number * d :][: part.size] = part
        down = model.vector(f"{at}.mlp.down_proj.norm")
        all_vectors[start + 9 * d :][: down.size] = down
        names = [f"attn.{name}_proj" for name in "ifgo"] + ["mlp.gate_proj", "mlp.down_proj"]
        steps = start + 9 * d + layout.row_i
        all_vectors[steps : steps + 6] = [model.matrix(f"{at}.{name}").scale for name in names]
        start += layout.layer_vectors
    for number, name in enumerate(("norm", "lm_head.norm")):
        part = model.vector(name)
        all_vectors[start + number * d :][: part.size] = part
    all_vectors[start + 2 * d] = model.matrix("lm_head").scale
    return all_vectors
