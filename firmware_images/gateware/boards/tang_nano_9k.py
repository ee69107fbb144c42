"""Tang Nano 9K: a Gowin GW1NR-9, the proof that the design is not tied to one vendor.

It knows pins and the size of the configuration; it does not know what any part does. Memory is
block RAM, so only a model of some kilobytes fits: the RAM chip in the package is not used.
"""

from __future__ import annotations

from typing import Any

from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.hdl import Elaboratable, Module
from amaranth_boards.tang_nano_9k import TangNano9kPlatform

from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.gateware.boards.board import (
    Board,
    accelerator,
    join_i2c,
    join_lights,
    join_serial_port,
)
from edge_sdk.firmware_images.gateware.memory.block import BlockMemory

CLOCK_HZ = 27_000_000
"""The oscillator's."""
GEOMETRY = Geometry(
    memory_bits=16,
    memory_words=4096,
    x_depth=128,
    s_depth=256,
    a_depth=256,
    b_depth=256,
    q_depth=16,
)
I2C = Resource(
    "i2c",
    0,
    Subsignal("scl", Pins("25", dir="io")),
    Subsignal("sda", Pins("26", dir="io")),
    Attrs(IO_TYPE="LVCMOS33", PULL_MODE="UP"),
)


class TangNano9k(Elaboratable):
    """The top level, in the oscillator's clock. LED 0: ready; LED 1: a program runs."""

    def __init__(self, board: Board, build_id: bytes) -> None:
        self.board = board
        self.build_id = build_id

    def elaborate(self, platform: Any) -> Module:
        """Accelerator and pins."""
        m = Module()
        geometry = self.board.geometry
        memory = BlockMemory(geometry.memory_bits, geometry.memory_words)
        m.submodules.parts = parts = accelerator(self.board, self.build_id, memory)
        join_serial_port(m, parts, platform.request("uart", dir={"rx": "-", "tx": "-"}))
        platform.add_resources([I2C])
        join_i2c(m, parts, platform.request("i2c", dir={"scl": "-", "sda": "-"}))
        join_lights(m, parts, platform)
        return m


TANG_NANO_9K = Board(
    name="tang-nano-9k",
    title="Tang Nano 9K, block RAM only",
    device="GW1NR-LV9QN88PC6/I5",
    clock_hz=CLOCK_HZ,
    geometry=GEOMETRY,
    platform=TangNano9kPlatform,
    design=TangNano9k,
    image="tang-nano-9k.fs.gz",
    product="top.fs",
    compress=True,
    features=("block-ram", "i2c"),
    options={"synth_opts": "-nowidelut"},
)
