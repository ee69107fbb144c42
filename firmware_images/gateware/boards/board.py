"""What a board is, to the build: a design for a chip, and the figures that describe it.

It knows no board; those are in the files beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer

from edge_sdk.firmware_images.contract.geometry import Geometry
from edge_sdk.firmware_images.contract.manifest import pack_manifest
from edge_sdk.firmware_images.gateware.array.array import TernaryArray
from edge_sdk.firmware_images.gateware.core.core import Core
from edge_sdk.firmware_images.gateware.link.layout import Settings
from edge_sdk.firmware_images.gateware.link.link import Link
from edge_sdk.firmware_images.gateware.link.serial_port import SerialPort
from edge_sdk.firmware_images.gateware.top import Accelerator


@dataclass(frozen=True)
class Board:
    """One board with one configuration: what `build` makes an image of."""

    name: str
    title: str
    device: str
    """The chip, as its maker writes it."""
    clock_hz: int
    """Of the whole design; timing has to be met at it."""
    geometry: Geometry
    platform: Callable[[], Any]
    """A new platform of amaranth-boards."""
    design: Callable[[Board, bytes], Any]
    """The top level, with that build id."""
    image: str
    """File name of the image."""
    product: str
    """File that the tools make it as."""
    compress: bool = False
    """Keep it with gzip, which programmers read."""
    idcode: int | None = None
    """What the chip answers over JTAG; None where images do not carry it."""
    features: tuple[str, ...] = ()
    seed: int = 1
    """Of placement."""
    options: Mapping[str, str] = field(default_factory=dict)
    """For the tools, as Amaranth's platforms take them."""
    usercode: str | None = None
    """The option that takes a format of 32 bits of the build id, if there is one."""


def accelerator(board: Board, build_id: bytes, memory: Any) -> Accelerator:
    """The accelerator of `board` over `memory`."""
    geometry = board.geometry
    manifest = pack_manifest(board.name, build_id.hex(), board.clock_hz, geometry, board.features)
    return Accelerator(
        memory,
        TernaryArray(geometry.memory_bits, geometry.q_depth),
        Core(geometry),
        Link(Settings(geometry, board.clock_hz, manifest, build_id)),
    )


def join_serial_port(m: Module, parts: Accelerator, uart: Any) -> None:
    """Put a UART on the ports `uart` (`rx`, `tx`) in front of `parts`."""
    m.submodules.serial = serial = SerialPort(parts.link.settings.default_divisor)
    m.submodules.rx = rx = io.Buffer("i", uart.rx)
    m.submodules.tx = tx = io.Buffer("o", uart.tx)
    wiring.connect(m, serial.received, parts.received)
    wiring.connect(m, parts.sent, serial.sent)
    m.d.comb += [
        serial.rx.eq(rx.i),
        tx.o.eq(serial.tx),
        serial.divisor.eq(parts.divisor),
        serial.set_divisor.eq(parts.set_divisor),
        parts.line_idle.eq(serial.idle),
    ]


def join_i2c(m: Module, parts: Accelerator, bus: Any) -> None:
    """Put the I2C master on the ports `bus` (`scl`, `sda`), open drain."""
    m.submodules.scl = scl = io.Buffer("io", bus.scl)
    m.submodules.sda = sda = io.Buffer("io", bus.sda)
    m.submodules.scl_in = FFSynchronizer(scl.i, parts.scl, init=1)
    m.submodules.sda_in = FFSynchronizer(sda.i, parts.sda, init=1)
    m.d.comb += [
        scl.o.eq(0),
        scl.oe.eq(parts.scl_low),
        sda.o.eq(0),
        sda.oe.eq(parts.sda_low),
    ]


def join_lights(m: Module, parts: Accelerator, platform: Any) -> None:
    """LED 0 of `platform`: memory is good; LED 1: a program runs."""
    for i, value in enumerate((parts.ready, parts.runs)):
        m.submodules[f"led{i}"] = led = io.Buffer("o", platform.request("led", i, dir="-"))
        m.d.comb += led.o.eq(value)
