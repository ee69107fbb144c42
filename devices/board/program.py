"""Compiles a packed model into an accelerator's programs and memory image.

It knows the model's layers and the order of their instructions; the algebra of the constants is in
`formats`, the placement in `assembler`. It does not know boards or links.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sdk.device import Progress
from edge_sdk.devices.board import formats
from edge_sdk.devices.board.assembler import Assembler, digest
from edge_sdk.devices.board.budget import check_fit
from edge_sdk.devices.board.embedding import embedding_rows
from edge_sdk.devices.board.formats import GAIN_SHIFT, SIGMOID_FRACTION, Epsilon, Formats, Gains
from edge_sdk.devices.board.ternary_rows import Trits, encode_rows
from edge_sdk.errors import ModelRejected
from edge_sdk.firmware_images.contract.geometry import Geometry, Ram
from edge_sdk.firmware_images.contract.isa import Flag, Instruction, Op
from edge_sdk.model_file import Model
from edge_sdk.ternary import unpack2

_SLAB = 1024
"""Embedding rows converted at a time."""
_DAMAGED = "convert the checkpoint again, or run the model on 'cpu'."


@dataclass(frozen=True)
class MemoryImage:
    """A compiled model: what is uploaded, and what it was made for."""

    data: bytes
    sha256: bytes
    """Of `data`; the board's resident model."""
    geometry: Geometry
    formats: Formats
    five_trits: bool
    model: str
    """SHA-256 of the packed model, hex."""


def compile_model(
    model: Model,
    geometry: Geometry,
    *,
    formats: Formats | None = None,
    five_trits: bool = True,
    memory_bytes: int | None = None,
    progress: Progress | None = None,
) -> MemoryImage:
    """The image of `model` for `geometry`; the same arguments give the same bytes.

    five_trits: 1.6 bits a weight, otherwise 2. memory_bytes: what the board found, if less than
    the geometry says. Raises OutOfMemory with the arithmetic if the model does not fit, and
    ModelRejected for weights that the accelerator cannot represent.
    """
    fitted = geometry.memory_words * geometry.memory_bits // 8
    check_fit(model.config, geometry, five_trits, min(fitted, memory_bytes or fitted))
    chosen = formats or Formats()
    data = _Compiler(model, geometry, chosen, five_trits, progress).image()
    return MemoryImage(data, digest(data), geometry, chosen, five_trits, model.sha256)


@dataclass(frozen=True)
class _Input:
    """A vector in a RAM that a matrix is applied to, and how it is normalised."""

    ram: Ram
    n: int
    fraction: int
    """Of the vector; of a block-normalised one, before its block exponent."""
    squares: int
    """Fraction of what the epsilon term's sum of squares is taken of."""
    flags: Flag = Flag.NONE
    """NRM's BLOCK and KEEP."""


class _Compiler:
    """One compilation."""

    def __init__(
        self,
        model: Model,
        geometry: Geometry,
        chosen: Formats,
        five_trits: bool,
        progress: Progress | None,
    ) -> None:
        self._model = model
        self._geometry = geometry
        self._formats = chosen
        self._five = five_trits
        self._flag = Flag.FIVE_TRITS if five_trits else Flag.NONE
        self._progress = progress or (lambda what, done, total: None)
        self._out = Assembler(geometry)
        self._emit = self._out.body.append
        self._done, self._total = 0, model.config.num_layers * 6 + 1

    def image(self) -> bytes:
        config = self._model.config
        self._embedding()
        for layer in range(config.num_layers):
            self._token_mixer(layer)
            self._channel_mixer(layer)
        self._emit = self._out.head.append
        self._head()
        return self._out.image(config.vocab_size, config.num_layers * config.hidden_size)

    def _embedding(self) -> None:
        d, size = self._model.config.hidden_size, self._model.config.vocab_size
        address, stride = None, 0
        for start in range(0, size, _SLAB):
            ids = np.arange(start, min(start + _SLAB, size))
            rows = embedding_rows(self._model, ids, self._formats.residual, self._geometry)
            stride = rows.shape[1] // 2
            at = self._out.place(rows.tobytes())
            address = at if address is None else address
        assert address is not None
        self._emit(Instruction(Op.EMB, n=d, address=address, factor=stride, ram1=Ram.X))

    def _token_mixer(self, layer: int) -> None:
        d, at, f = self._model.config.hidden_size, f"layers.{layer}.", self._formats
        x = _Input(Ram.X, d, f.residual, f.residual)
        outer = self._norm(x, f"{at}attn_norm")
        targets = (("i", Ram.A, 0), ("f", Ram.B, 0), ("g", Ram.A, d))
        for name, ram, offset in targets:
            self._linear(x, f"{at}attn.{name}_proj", outer, [(ram, offset, f.gates)], d)
        self._forget_gate(layer)
        self._silu(Ram.A, 0, Ram.A, d, f.gates)
        state = layer * d
        self._emit(
            Instruction(
                Op.REC,
                n=d,
                ram1=Ram.A,
                ram2=Ram.B,
                ram3=Ram.S,
                factor=state,
                shift=f.state - f.gates,
            )
        )
        self._silu(Ram.S, state, Ram.B, d, f.state)
        self._product(Ram.A, d, Ram.B, d, Flag.KEEP)
        gated = _Input(Ram.B, d, f.gates + f.state, f.gates, Flag.BLOCK | Flag.KEEP)
        outer = self._norm(gated, f"{at}attn.g_norm")
        self._linear(gated, f"{at}attn.o_proj", outer, [(Ram.X, 0, f.residual)], d, Flag.ADD)

    def _channel_mixer(self, layer: int) -> None:
        d, i = self._model.config.hidden_size, self._model.config.intermediate_size
        at, f = f"layers.{layer}.mlp.", self._formats
        x = _Input(Ram.X, d, f.residual, f.residual)
        outer = self._norm(x, f"layers.{layer}.mlp_norm")
        halves = [(Ram.A, 0, f.glu), (Ram.B, 0, f.glu)]
        self._linear(x, f"{at}gate_proj", outer, halves, i)
        self._silu(Ram.A, 0, Ram.A, i, f.glu)
        self._product(Ram.A, 0, Ram.B, i, Flag.NONE)
        product = _Input(Ram.B, i, 2 * f.glu, 2 * f.glu, Flag.BLOCK)
        alone = self._norm(product, None)
        self._linear(product, f"{at}down_proj", alone, [(Ram.X, 0, f.residual)], d, Flag.ADD)

    def _head(self) -> None:
        config, f = self._model.config, self._formats
        x = _Input(Ram.X, config.hidden_size, f.residual, f.residual)
        outer = self._norm(x, "norm")
        # Fraction 0: sum * M / 2^t is a logit.
        self._linear(x, "lm_head", outer, [(Ram.X, 0, 0)], config.vocab_size, Flag.TOP)

    def _norm(
        self, source: _Input, name: str | None
    ) -> tuple[npt.NDArray[np.float64], Gains | None]:
        """Emit NRM; the outer norm's weights (ones if it has none) and their gains."""
        if name is None:
            epsilon = formats.single_epsilon(source.n, source.fraction)
            self._emit_norm(source, source.flags, epsilon, 0)
            return np.ones(source.n), None
        weights = self._model.vector(name).astype(np.float64)
        gains = formats.outer_gains(weights, source.fraction, source.squares)
        unit = source.fraction + gains.exponent - GAIN_SHIFT
        eps = self._model.config.norm_eps
        epsilon = formats.double_epsilon(source.n, eps, unit, source.squares)
        address = self._out.place(gains.mantissas.tobytes())
        self._emit_norm(source, source.flags | Flag.GAIN, epsilon, address)
        return weights, gains

    def _emit_norm(self, source: _Input, flags: Flag, epsilon: Epsilon, address: int) -> None:
        self._emit(
            Instruction(
                Op.NRM,
                flags,
                n=source.n,
                extra=epsilon.extra,
                address=address,
                factor=epsilon.factor,
                ram1=source.ram,
                shift=epsilon.shift,
            )
        )

    def _linear(
        self,
        source: _Input,
        name: str,
        outer: tuple[npt.NDArray[np.float64], Gains | None],
        targets: list[tuple[Ram, int, int]],
        rows: int,
        flags: Flag = Flag.NONE,
    ) -> None:
        """Emit QNT, and a TMV for each target (RAM, offset, fraction), which takes `rows` rows."""
        gains = Gains.of(outer[0] * self._model.vector(f"{name}.norm"))
        address = self._out.place(gains.mantissas.tobytes())
        self._emit(Instruction(Op.QNT, self._flag, n=source.n, address=address, ram1=source.ram))
        matrix = self._model.matrix(name)
        trits = _trits(matrix.planes, matrix.shape, name)
        for index, (ram, offset, fraction) in enumerate(targets):
            factor, shift = formats.matrix_scale(matrix.scale, source.n, fraction, gains, outer[1])
            part = trits[index * rows : (index + 1) * rows]
            address = self._out.place(encode_rows(part, self._geometry, self._five).data)
            self._emit(
                Instruction(
                    Op.TMV,
                    flags | self._flag,
                    n=source.n,
                    extra=rows,
                    offset=offset,
                    address=address,
                    factor=factor,
                    ram1=ram,
                    shift=shift,
                )
            )
        self._done += 1
        self._progress("compile", self._done, self._total)

    def _forget_gate(self, layer: int) -> None:
        bounds = np.rint(self._model.vector("bounds")[layer].astype(np.float64) * 32768)
        if bounds.min() < 0 or bounds.max() > 32768:
            raise ModelRejected(
                f"a lower bound of layer {layer} is not between 0 and 1.", hint=_DAMAGED
            )
        flags, address = Flag.SIGMOID, 0
        if bounds.any():
            flags, address = flags | Flag.GAIN, self._out.place(bounds.astype("<u2").tobytes())
        self._activation(Ram.B, 0, Ram.B, len(bounds), self._formats.gates, flags, address)

    def _silu(self, source: Ram, offset: int, target: Ram, n: int, fraction: int) -> None:
        self._activation(source, offset, target, n, fraction, Flag.NONE, 0)

    def _activation(
        self,
        source: Ram,
        offset: int,
        target: Ram,
        n: int,
        fraction: int,
        flags: Flag,
        address: int,
    ) -> None:
        self._emit(
            Instruction(
                Op.ACT,
                flags,
                n=n,
                offset=offset,
                address=address,
                ram1=source,
                ram2=target,
                shift=SIGMOID_FRACTION - fraction,
            )
        )

    def _product(self, first: Ram, offset: int, second: Ram, n: int, flags: Flag) -> None:
        """Emit PRD into the second factor's place."""
        self._emit(
            Instruction(Op.PRD, flags, n=n, offset=offset, ram1=first, ram2=second, ram3=second)
        )


def _trits(planes: npt.NDArray[np.uint8], shape: tuple[int, int], name: str) -> Trits:
    try:
        return unpack2(planes, shape)
    except ValueError as error:
        raise ModelRejected(f"the matrix {name!r} was refused: {error}.", hint=_DAMAGED) from None
