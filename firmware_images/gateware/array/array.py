"""The ternary array as the core sees it.

It knows how its parts are joined; it does not know what is done with the sums.
"""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from edge_sdk.firmware_images.contract.geometry import ACCUMULATOR_BITS, TRITS_PER_BYTE
from edge_sdk.firmware_images.gateware.array.activations import ActivationMemory
from edge_sdk.firmware_images.gateware.array.dot import DotProduct
from edge_sdk.firmware_images.gateware.array.rows import RowControl
from edge_sdk.firmware_images.gateware.array.weights import WeightDecoder
from edge_sdk.firmware_images.gateware.memory.queue import ReservedQueue
from edge_sdk.firmware_images.gateware.ports import ArraySignature


class TernaryArray(wiring.Component):
    """One word of weights a cycle, rows of any length one after the other without a gap.

    Nothing inside ever stops: a place for the sum of a row is reserved when its last word is
    taken, and words are taken only while there is a place.

    Args:
        memory_bits: width of a word of weights, whole bytes.
        depth: groups of activations (Geometry.q_depth).
    """

    def __init__(self, memory_bits: int, depth: int) -> None:
        self.memory_bits = memory_bits
        self.depth = depth
        super().__init__({"port": In(ArraySignature(memory_bits))})

    def elaborate(self, platform: object) -> Module:
        """Words meet their activations one cycle after they were taken."""
        m = Module()
        port = self.port
        lanes = TRITS_PER_BYTE * self.memory_bits // 8
        reset = ResetInserter(port.abort)
        activations = ActivationMemory(lanes, self.depth)
        decoder = WeightDecoder(self.memory_bits)
        rows = RowControl(self.memory_bits, self.depth)
        dot = DotProduct(lanes)
        sums = ReservedQueue(signed(ACCUMULATOR_BITS))
        m.submodules.activations = reset(activations)
        m.submodules.decoder = decoder
        m.submodules.rows = reset(rows)
        m.submodules.dot = reset(dot)
        m.submodules.sums = reset(sums)

        take = Signal()
        m.d.comb += [
            # The group read last is the one of the last word taken.
            port.activations.ready.eq(~rows.running),
            activations.five.eq(port.five),
            activations.write.eq(port.activations.valid & port.activations.ready),
            activations.activation.eq(port.activations.payload),
            activations.group.eq(rows.group),
            rows.five.eq(port.five),
            rows.columns.eq(port.columns),
            rows.rows.eq(port.rows),
            rows.start.eq(port.start),
            port.words.ready.eq(rows.running & sums.room),
            take.eq(port.words.valid & port.words.ready),
            rows.take.eq(take),
            decoder.word.eq(port.words.payload),
            decoder.five.eq(port.five),
            dot.activations.eq(activations.values),
            dot.weights.eq(decoder.weights),
            sums.reserve.eq(take & rows.last),
            sums.push.eq(dot.done),
            sums.item.eq(dot.sum),
        ]
        valid, row, following = Signal(), Signal(16), Signal(16)
        m.d.sync += [valid.eq(take & ~port.abort), dot.last.eq(rows.last)]
        m.d.comb += [
            dot.valid.eq(valid),
            following.eq(row + 1),
            port.sums.valid.eq(sums.output.valid),
            port.sums.payload.sum.eq(sums.output.payload),
            port.sums.payload.row.eq(row),
            sums.output.ready.eq(port.sums.ready),
        ]
        with m.If(port.abort):
            m.d.sync += port.busy.eq(0)
        with m.Elif(port.start):
            m.d.sync += [port.busy.eq(1), row.eq(0)]
        with m.Elif(port.sums.valid & port.sums.ready):
            m.d.sync += [row.eq(following), port.busy.eq(following != port.rows)]
        return m
