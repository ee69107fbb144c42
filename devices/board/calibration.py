"""Chooses a model's number formats by running it on text.

It knows which instruction writes which vector; it does not know text or tokenizers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edge_sdk.device import Progress
from edge_sdk.devices.board.formats import Formats
from edge_sdk.devices.board.integer_model import IntegerModel
from edge_sdk.devices.board.program import compile_model
from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import Instruction, Op
from edge_sdk.model_file import Model

WIDEST = Formats(residual=4, gates=8, state=8, glu=8)
FINEST = Formats(residual=12, gates=12, state=12, glu=12)
HEADROOM = 1.5
"""The largest value seen must stay below the end of the range divided by this."""
_MATRICES = ("gates", "gates", "gates", "residual", "glu", "glu", "residual")
"""What the TMVs of a layer write, in order."""


def calibrate(
    model: Model,
    geometry: Geometry,
    texts: Sequence[Sequence[int]],
    progress: Progress | None = None,
) -> Formats:
    """The finest formats in which everything seen on `texts` (token ids) keeps its headroom.

    Each text starts from the zero state. Raises OutOfMemory as `compile_model` does.
    """
    return choose(ranges(model, geometry, texts, progress))


def choose(largest: Mapping[str, float]) -> Formats:
    """The finest formats that give the values of `ranges` their headroom."""
    chosen = {name: _fraction(name, value) for name, value in largest.items()}
    # The state is a mean of what the gates let in, and may not be coarser than they are.
    chosen["gates"] = min(chosen["gates"], chosen["state"])
    return Formats(**chosen)


def ranges(
    model: Model,
    geometry: Geometry,
    texts: Sequence[Sequence[int]],
    progress: Progress | None = None,
) -> dict[str, float]:
    """The largest absolute value of each of the four kinds of vector, in the model's own units."""
    core = IntegerModel(geometry, compile_model(model, geometry, formats=WIDEST).data)
    program = core.memory.program(core.boot.body)
    largest = dict.fromkeys(("residual", "gates", "state", "glu"), 0.0)
    total, done = sum(map(len, texts)), 0
    for text in texts:
        core.reset()
        for token in text:
            kinds = iter(_MATRICES * model.config.num_layers)
            for _, one in program:
                assert one is not None
                core.execute(one, token=token)
                for kind, ram, offset, count in _written(one, kinds):
                    seen = np.abs(core.read_ram(ram, offset, count).astype(np.int32)).max()
                    value = float(seen) / 2 ** getattr(WIDEST, kind)
                    largest[kind] = max(largest[kind], value)
            done += 1
            if progress is not None:
                progress("calibrate", done, total)
    return largest


def _written(one: Instruction, kinds: Iterator[str]) -> Iterator[tuple[str, Ram, int, int]]:
    """(kind, RAM, offset, elements) of a vector whose range is of interest."""
    if one.op == Op.EMB:
        yield "residual", one.ram1, one.offset, one.n
    elif one.op == Op.TMV:
        yield next(kinds), one.ram1, one.offset, one.extra
    elif one.op == Op.REC:
        yield "state", one.ram3, one.factor, one.n


def _fraction(name: str, largest: float) -> int:
    widest, finest = getattr(WIDEST, name), getattr(FINEST, name)
    for fraction in range(finest, widest, -1):
        if largest * HEADROOM < 2.0 ** (15 - fraction):
            return fraction
    return int(widest)
