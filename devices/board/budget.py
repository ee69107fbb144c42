"""What a model asks of an accelerator, and the refusal, with its arithmetic, if that is too much.

It knows sizes only; it does not know weights or instructions.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_sdk.config import ModelConfig
from edge_sdk.devices.board.ternary_rows import row_bytes
from edge_sdk.errors import OutOfMemory
from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import INSTRUCTION_BYTES

MAX_COUNT = 0xFFFF
"""Largest number of columns, rows or state values that an instruction can name."""
LAYER_INSTRUCTIONS = 24
HEAD_INSTRUCTIONS = 4
"""NRM, QNT, TMV, HALT."""


@dataclass(frozen=True)
class Budget:
    """Bytes of memory by part, and elements of each RAM, that a model needs."""

    memory: dict[str, int]
    rams: dict[Ram, int]
    columns: int
    """The longest matrix row."""
    rows: int
    """The most rows of a matrix that one instruction streams."""


def budget(config: ModelConfig, geometry: Geometry, five_trits: bool) -> Budget:
    """At most what `program.compile_model` lays out; a layer whose bounds are zero needs less."""
    d, i, layers = config.hidden_size, config.intermediate_size, config.num_layers
    word = geometry.memory_bits // 8

    def aligned(size: int) -> int:
        return -(-size // word) * word

    def matrix(rows: int, columns: int) -> int:
        return rows * row_bytes(columns, geometry, five_trits)

    # Norms: attn, i, f, g, output's outer and inner, mlp, gate; the bounds; down.
    vectors = layers * (9 * aligned(2 * d) + aligned(2 * i)) + 2 * aligned(2 * d)
    block = 4 * matrix(d, d) + 2 * matrix(i, d) + matrix(d, i)
    memory = {
        # The boot record; the body with EMB and HALT; the head.
        "program": sum(
            aligned(INSTRUCTION_BYTES * count)
            for count in (1, LAYER_INSTRUCTIONS * layers + 2, HEAD_INSTRUCTIONS)
        ),
        "embedding": config.vocab_size * aligned(4 + d + d % 2),
        "norms and bounds": vectors,
        "weights": layers * block + matrix(config.vocab_size, d),
    }
    rams = {Ram.X: d, Ram.S: layers * d, Ram.A: max(2 * d, i), Ram.B: max(d, i)}
    return Budget(memory, rams, max(d, i), max(d, i, config.vocab_size))


def check_fit(config: ModelConfig, geometry: Geometry, five_trits: bool, memory_bytes: int) -> None:
    """Raise OutOfMemory, with every shortage, if a model does not fit `memory_bytes`."""
    need = budget(config, geometry, five_trits)
    short = [
        f"RAM {ram.name} holds {geometry.depth(ram)} values and {count} are needed"
        for ram, count in need.rams.items()
        if count > geometry.depth(ram)
    ]
    most = geometry.max_columns(five_trits)
    if need.columns > most:
        short.append(f"a matrix row may have {most} columns and has {need.columns}")
    if max(need.columns, need.rows, need.rams[Ram.S]) > MAX_COUNT:
        short.append(f"no vector, matrix or state may be longer than {MAX_COUNT}")
    total = sum(need.memory.values())
    if total > memory_bytes:
        parts = ", ".join(f"{name} {size:,}" for name, size in need.memory.items())
        short.append(f"memory holds {memory_bytes:,} bytes and {total:,} are needed ({parts})")
    if short:
        raise OutOfMemory(
            f"the model does not fit into this accelerator: {'; '.join(short)}.",
            hint="use a smaller model, or a board with more memory.",
        )
