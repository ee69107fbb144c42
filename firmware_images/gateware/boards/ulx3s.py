"""ULX3S: an ECP5, 32 MiB of SDR SDRAM, a USB serial port.

It knows pins, the clock and the size of the configuration; it does not know what any part does.
"""

from __future__ import annotations

from typing import Any

from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io
from amaranth_boards.ulx3s import ULX3S_12F_Platform, ULX3S_85F_Platform

from edge_sdk.firmware_images.contract.configurations import ULX3S
from edge_sdk.firmware_images.gateware.boards.board import (
    Board,
    accelerator,
    join_i2c,
    join_lights,
    join_serial_port,
)
from edge_sdk.firmware_images.gateware.boards.ecp5_clock import MEMORY, Ecp5Clock, add_domains
from edge_sdk.firmware_images.gateware.boards.sdram_pads import ROUND_TRIP, SdramPads
from edge_sdk.firmware_images.gateware.memory.chip import SDR_32MIB_X16
from edge_sdk.firmware_images.gateware.memory.sdram import Sdram

INPUT_HZ = 25_000_000
CLOCK_HZ = 75_000_000
MEMORY_CLOCK_DEGREES = 315
"""How late the chip's clock is. Computed from data sheets, not measured on a board."""
I2C = Resource(
    "i2c",
    0,
    Subsignal("scl", Pins("21+", dir="io", conn=("gpio", 0))),
    Subsignal("sda", Pins("21-", dir="io", conn=("gpio", 0))),
    Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP", DRIVE="4"),
)
"""GP21 and GN21 on the expansion header; 3.3 V and ground are on the same header."""
ECP5_OPTIONS = {
    # Wide look-up tables of two to eight LUT4 cost this design a third more of them.
    "synth_opts": "-nowidelut",
    "ecppack_opts": "--compress",
}


class Ulx3sDesign(Elaboratable):
    """The top level. LED 0: memory is good; LED 1: a program runs."""

    def __init__(self, board: Board, build_id: bytes) -> None:
        self.board = board
        self.build_id = build_id

    def elaborate(self, platform: Any) -> Module:
        """Clock, accelerator, pins."""
        m = Module()
        add_domains(m)
        m.submodules.oscillator = oscillator = io.Buffer("i", platform.request("clk25", dir="-"))
        m.submodules.clock = Ecp5Clock(
            oscillator.i, INPUT_HZ, self.board.clock_hz, MEMORY_CLOCK_DEGREES
        )
        memory = Sdram(SDR_32MIB_X16, self.board.clock_hz, ROUND_TRIP)
        m.submodules.parts = parts = accelerator(self.board, self.build_id, memory)
        kinds = dict.fromkeys(
            ("clk", "clk_en", "cs", "ras", "cas", "we", "ba", "a", "dqm", "dq"), "-"
        )
        m.submodules.pads = SdramPads(memory.pins, platform.request("sdram", dir=kinds), MEMORY)
        join_serial_port(
            m, parts, platform.request("uart", dir=dict.fromkeys(("rx", "tx", "rts", "dtr"), "-"))
        )
        platform.add_resources([I2C])
        join_i2c(m, parts, platform.request("i2c", dir={"scl": "-", "sda": "-"}))
        join_lights(m, parts, platform)
        return m


def _ulx3s(size: str, device: str, idcode: int, platform: Any) -> Board:
    name = f"ulx3s-{size}"
    return Board(
        name=name,
        title=f"ULX3S with an {device}",
        device=device,
        clock_hz=CLOCK_HZ,
        geometry=ULX3S,
        platform=platform,
        design=Ulx3sDesign,
        image=f"{name}.bit",
        product="top.bit",
        idcode=idcode,
        features=("sdram", "i2c"),
        options=ECP5_OPTIONS,
        usercode="ecppack_opts",
    )


ULX3S_85F = _ulx3s("85f", "LFE5U-85F", 0x41113043, ULX3S_85F_Platform)
ULX3S_12F = _ulx3s("12f", "LFE5U-12F", 0x21111043, ULX3S_12F_Platform)
